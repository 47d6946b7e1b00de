// lazy-seq: Walks an infinite sequence whose every cell is computed when first asked for and
// then kept.
"use strict";
const N = 300000;

class Cell {
  constructor(thunk) { this.thunk = thunk; this.value = null; this.rest = null; }
  force() {
    if (this.thunk !== null) {
      const [value, rest] = this.thunk();
      this.value = value;
      this.rest = rest;
      this.thunk = null;
    }
    return this;
  }
}

function intsFrom(n) { return new Cell(() => [n, intsFrom(n + 1)]); }

function run() {
  let acc = 0, xs = intsFrom(0);
  for (let i = 0; i < N; i++) {
    xs.force();
    acc = (3 * acc + xs.value) % 1000003;
    xs = xs.rest;
  }
  return acc;
}

const t0 = performance.now();
const result = run();
const t1 = performance.now();
console.log(String(result));
process.stderr.write("elapsed_ms " + (t1 - t0) + "\n");
