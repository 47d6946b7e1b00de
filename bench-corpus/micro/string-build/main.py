# string-build: Makes short strings out of literals and numbers and adds up their lengths.
import sys
import time

N = 300000


def run():
    acc = 0
    for i in range(N):
        acc += len("item-" + str(i) + ":" + str(i % 7))
    return acc


t0 = time.perf_counter()
result = run()
t1 = time.perf_counter()
print(result)
sys.stderr.write("elapsed_ms " + str((t1 - t0) * 1000.0) + "\n")
