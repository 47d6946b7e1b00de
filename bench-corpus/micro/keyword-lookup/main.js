// keyword-lookup: Reads three keys of small maps by keyword; two maps of the same shape take
// turns.
"use strict";
const N = 1500000;

const one = { a: 1, b: 2, c: 3, d: 4 };
const two = { a: 5, b: 6, c: 7, d: 8 };

function run() {
  let acc = 0;
  for (let i = 0; i < N; i++) {
    const m = i % 2 === 0 ? one : two;
    acc = (acc + m.a + m.b * m.d) % 1000003;
  }
  return acc;
}

const t0 = performance.now();
const result = run();
const t1 = performance.now();
console.log(String(result));
process.stderr.write("elapsed_ms " + (t1 - t0) + "\n");
