# destructure: Takes a vector of two and a map of two apart by pattern in every turn of a loop.
import sys
import time

N = 400000


pairs = [[1, 2], [3, 4], [5, 6]]
points = [{"x": 1, "y": 2}, {"x": 3, "y": 4}, {"x": 5, "y": 6}]


def run():
    acc = 0
    for i in range(N):
        j = i % 3
        a, b = pairs[j]
        p = points[j]
        x, y = p["x"], p["y"]
        acc = (acc + a * x + b * y) % 1000003
    return acc


t0 = time.perf_counter()
result = run()
t1 = time.perf_counter()
print(result)
sys.stderr.write("elapsed_ms " + str((t1 - t0) * 1000.0) + "\n")
