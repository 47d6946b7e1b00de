# vector-nth: Reads a vector of 100 integers at a moving index.
import sys
import time

N = 3000000


def run():
    v = list(range(100))
    acc = 0
    for i in range(N):
        acc = (3 * acc + v[i % 100]) % 1000003
    return acc


t0 = time.perf_counter()
result = run()
t1 = time.perf_counter()
print(result)
sys.stderr.write("elapsed_ms " + str((t1 - t0) * 1000.0) + "\n")
