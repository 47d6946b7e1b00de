// vector-nth: Reads a vector of 100 integers at a moving index.
"use strict";
const N = 3000000;

function run() {
  const v = [];
  for (let i = 0; i < 100; i++) v.push(i);
  let acc = 0;
  for (let i = 0; i < N; i++) acc = (3 * acc + v[i % 100]) % 1000003;
  return acc;
}

const t0 = performance.now();
const result = run();
const t1 = performance.now();
console.log(String(result));
process.stderr.write("elapsed_ms " + (t1 - t0) + "\n");
