// closure-call: Makes a closure over one variable in every turn of a loop and calls it once.
"use strict";
const N = 2000000;

function adder(k) { return (x) => (x + k) % 1000003; }

function run() {
  let acc = 0;
  for (let i = 0; i < N; i++) acc = adder(i)(acc);
  return acc;
}

const t0 = performance.now();
const result = run();
const t1 = performance.now();
console.log(String(result));
process.stderr.write("elapsed_ms " + (t1 - t0) + "\n");
