# lazy-seq: Walks an infinite sequence whose every cell is computed when first asked for and
# then kept.
import sys
import time

N = 300000


class Cell:
    def __init__(self, thunk):
        self.thunk = thunk
        self.value = None
        self.rest = None

    def force(self):
        if self.thunk is not None:
            self.value, self.rest = self.thunk()
            self.thunk = None


def ints_from(n):
    return Cell(lambda: (n, ints_from(n + 1)))


def run():
    acc = 0
    xs = ints_from(0)
    for i in range(N):
        xs.force()
        acc = (3 * acc + xs.value) % 1000003
        xs = xs.rest
    return acc


t0 = time.perf_counter()
result = run()
t1 = time.perf_counter()
print(result)
sys.stderr.write("elapsed_ms " + str((t1 - t0) * 1000.0) + "\n")
