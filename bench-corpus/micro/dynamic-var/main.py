# dynamic-var: Binds a dynamic variable around a call that reads it twice.
import sys
import time

N = 500000


scale = 1


def scaled(x):
    return scale * x + scale


def with_scale(value, x):
    global scale
    outer = scale
    scale = value
    try:
        return scaled(x)
    finally:
        scale = outer


def run():
    acc = 0
    for i in range(N):
        acc = (acc + with_scale(i % 7, i)) % 1000003
    return acc


t0 = time.perf_counter()
result = run()
t1 = time.perf_counter()
print(result)
sys.stderr.write("elapsed_ms " + str((t1 - t0) * 1000.0) + "\n")
