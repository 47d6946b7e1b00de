# vector-push: Appends integers to an empty vector one by one, a thousand to each of many
# vectors.
import sys
import time

N = 600


def filled():
    v = []
    for i in range(1000):
        v.append(i)
    return v


def run():
    acc = 0
    for i in range(N):
        v = filled()
        acc = (acc + len(v) + v[i % 1000]) % 1000003
    return acc


t0 = time.perf_counter()
result = run()
t1 = time.perf_counter()
print(result)
sys.stderr.write("elapsed_ms " + str((t1 - t0) * 1000.0) + "\n")
