// multimethod: Calls one operation on three kinds of values, found in an open table by a
// computed key.
"use strict";
const N = 500000;

const methods = new Map();
methods.set("square", (s) => s.side * s.side);
methods.set("rect", (s) => s.w * s.h);
methods.set("triangle", (s) => Math.floor((s.base * s.height) / 2));

function area(s) { return methods.get(s.kind)(s); }

const shapes = [
  { kind: "square", side: 3 },
  { kind: "rect", w: 2, h: 5 },
  { kind: "triangle", base: 6, height: 7 },
];

function run() {
  let acc = 0;
  for (let i = 0; i < N; i++) acc = (3 * acc + area(shapes[i % 3])) % 1000003;
  return acc;
}

const t0 = performance.now();
const result = run();
const t1 = performance.now();
console.log(String(result));
process.stderr.write("elapsed_ms " + (t1 - t0) + "\n");
