# transducer: Reduces a range through a composed map, filter and map, with no sequence in
# between.
import sys
import time

N = 600000


def mapping(f):
    return lambda rf: lambda acc, x: rf(acc, f(x))


def filtering(p):
    return lambda rf: lambda acc, x: rf(acc, x) if p(x) else acc


def run():
    a = mapping(lambda x: x * 3)
    b = filtering(lambda x: x % 2 == 0)
    c = mapping(lambda x: x + 1)
    rf = a(b(c(lambda acc, x: (acc + x) % 1000003)))
    acc = 0
    for i in range(N):
        acc = rf(acc, i)
    return acc


t0 = time.perf_counter()
result = run()
t1 = time.perf_counter()
print(result)
sys.stderr.write("elapsed_ms " + str((t1 - t0) * 1000.0) + "\n")
