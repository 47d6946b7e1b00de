// protocol-call: Calls one method on two types of records that take turns.
"use strict";
const N = 1500000;

class Square {
  constructor(side) { this.side = side; }
  area(k) { return this.side * this.side + k; }
}

class Rect {
  constructor(w, h) { this.w = w; this.h = h; }
  area(k) { return this.w * this.h + k; }
}

function run() {
  const one = new Square(3), two = new Rect(2, 5);
  let acc = 0;
  for (let i = 0; i < N; i++) acc = (3 * acc + (i % 2 === 0 ? one : two).area(i)) % 1000003;
  return acc;
}

const t0 = performance.now();
const result = run();
const t1 = performance.now();
console.log(String(result));
process.stderr.write("elapsed_ms " + (t1 - t0) + "\n");
