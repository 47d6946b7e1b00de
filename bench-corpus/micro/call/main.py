# call: Calls a named function of two arguments in a loop.
import sys
import time

N = 3000000


def step(a, b):
    return (a + b) % 1000003


def run():
    acc = 0
    for i in range(N):
        acc = step(acc, i)
    return acc


t0 = time.perf_counter()
result = run()
t1 = time.perf_counter()
print(result)
sys.stderr.write("elapsed_ms " + str((t1 - t0) * 1000.0) + "\n")
