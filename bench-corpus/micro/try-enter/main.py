# try-enter: Enters and leaves a handler in every turn; one turn in a thousand throws.
import sys
import time

N = 1000000


def check(i):
    if i % 1000 == 999:
        raise ValueError("thousandth")
    return i % 10


def attempt(i):
    try:
        return check(i)
    except ValueError:
        return 7


def run():
    acc = 0
    for i in range(N):
        acc += attempt(i)
    return acc


t0 = time.perf_counter()
result = run()
t1 = time.perf_counter()
print(result)
sys.stderr.write("elapsed_ms " + str((t1 - t0) * 1000.0) + "\n")
