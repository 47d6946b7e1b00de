// rest-args: Calls a function that takes any number of arguments and adds them up.
"use strict";
const N = 500000;

function total(...xs) {
  let s = 0;
  for (const x of xs) s += x;
  return s;
}

function run() {
  let acc = 0;
  for (let i = 0; i < N; i++) acc = total(acc, i, 1, 2) % 1000003;
  return acc;
}

const t0 = performance.now();
const result = run();
const t1 = performance.now();
console.log(String(result));
process.stderr.write("elapsed_ms " + (t1 - t0) + "\n");
