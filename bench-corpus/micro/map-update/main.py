# map-update: Counts in a map of eight keyword keys: one update with a function in every turn.
import sys
import time

N = 500000


names = ["a", "b", "c", "d", "e", "f", "g", "h"]


def run():
    m = {}
    for k in names:
        m[k] = 0
    for i in range(N):
        k = names[(i * 5) % 8]
        m[k] = m[k] + 1
    return m["a"] + 3 * m["d"] + 7 * m["h"]


t0 = time.perf_counter()
result = run()
t1 = time.perf_counter()
print(result)
sys.stderr.write("elapsed_ms " + str((t1 - t0) * 1000.0) + "\n")
