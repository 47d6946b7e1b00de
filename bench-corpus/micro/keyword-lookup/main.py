# keyword-lookup: Reads three keys of small maps by keyword; two maps of the same shape take
# turns.
import sys
import time

N = 1500000


one = {"a": 1, "b": 2, "c": 3, "d": 4}
two = {"a": 5, "b": 6, "c": 7, "d": 8}


def run():
    acc = 0
    for i in range(N):
        m = one if i % 2 == 0 else two
        acc = (acc + m["a"] + m["b"] * m["d"]) % 1000003
    return acc


t0 = time.perf_counter()
result = run()
t1 = time.perf_counter()
print(result)
sys.stderr.write("elapsed_ms " + str((t1 - t0) * 1000.0) + "\n")
