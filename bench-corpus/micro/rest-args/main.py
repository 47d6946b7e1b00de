# rest-args: Calls a function that takes any number of arguments and adds them up.
import sys
import time

N = 500000


def total(*xs):
    s = 0
    for x in xs:
        s += x
    return s


def run():
    acc = 0
    for i in range(N):
        acc = total(acc, i, 1, 2) % 1000003
    return acc


t0 = time.perf_counter()
result = run()
t1 = time.perf_counter()
print(result)
sys.stderr.write("elapsed_ms " + str((t1 - t0) * 1000.0) + "\n")
