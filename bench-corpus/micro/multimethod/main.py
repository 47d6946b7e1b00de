# multimethod: Calls one operation on three kinds of values, found in an open table by a
# computed key.
import sys
import time

N = 500000


methods = {
    "square": lambda s: s["side"] * s["side"],
    "rect": lambda s: s["w"] * s["h"],
    "triangle": lambda s: s["base"] * s["height"] // 2,
}

shapes = [
    {"kind": "square", "side": 3},
    {"kind": "rect", "w": 2, "h": 5},
    {"kind": "triangle", "base": 6, "height": 7},
]


def area(s):
    return methods[s["kind"]](s)


def run():
    acc = 0
    for i in range(N):
        acc = (3 * acc + area(shapes[i % 3])) % 1000003
    return acc


t0 = time.perf_counter()
result = run()
t1 = time.perf_counter()
print(result)
sys.stderr.write("elapsed_ms " + str((t1 - t0) * 1000.0) + "\n")
