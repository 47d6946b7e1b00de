# atom-swap: Changes a shared mutable cell by a function, once in every turn of a loop.
import sys
import time

N = 1000000


def step(old, x):
    return (3 * old + x) % 1000003


def swap(cell, f, x):
    cell[0] = f(cell[0], x)
    return cell[0]


def run():
    a = [1]
    for i in range(N):
        swap(a, step, i)
    return a[0]


t0 = time.perf_counter()
result = run()
t1 = time.perf_counter()
print(result)
sys.stderr.write("elapsed_ms " + str((t1 - t0) * 1000.0) + "\n")
