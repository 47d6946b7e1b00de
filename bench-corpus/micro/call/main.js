// call: Calls a named function of two arguments in a loop.
"use strict";
const N = 3000000;

function step(a, b) { return (a + b) % 1000003; }

function run() {
  let acc = 0;
  for (let i = 0; i < N; i++) acc = step(acc, i);
  return acc;
}

const t0 = performance.now();
const result = run();
const t1 = performance.now();
console.log(String(result));
process.stderr.write("elapsed_ms " + (t1 - t0) + "\n");
