# closure-call: Makes a closure over one variable in every turn of a loop and calls it once.
import sys
import time

N = 2000000


def adder(k):
    return lambda x: (x + k) % 1000003


def run():
    acc = 0
    for i in range(N):
        acc = adder(i)(acc)
    return acc


t0 = time.perf_counter()
result = run()
t1 = time.perf_counter()
print(result)
sys.stderr.write("elapsed_ms " + str((t1 - t0) * 1000.0) + "\n")
