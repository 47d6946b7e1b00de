# protocol-call: Calls one method on two types of records that take turns.
import sys
import time

N = 1500000


class Square:
    def __init__(self, side):
        self.side = side

    def area(self, k):
        return self.side * self.side + k


class Rect:
    def __init__(self, w, h):
        self.w = w
        self.h = h

    def area(self, k):
        return self.w * self.h + k


def run():
    one = Square(3)
    two = Rect(2, 5)
    acc = 0
    for i in range(N):
        acc = (3 * acc + (one if i % 2 == 0 else two).area(i)) % 1000003
    return acc


t0 = time.perf_counter()
result = run()
t1 = time.perf_counter()
print(result)
sys.stderr.write("elapsed_ms " + str((t1 - t0) * 1000.0) + "\n")
