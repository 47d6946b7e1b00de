// try-enter: Enters and leaves a handler in every turn; one turn in a thousand throws.
"use strict";
const N = 1000000;

function check(i) {
  if (i % 1000 === 999) throw new Error("thousandth");
  return i % 10;
}

function attempt(i) {
  try { return check(i); } catch (e) { return 7; }
}

function run() {
  let acc = 0;
  for (let i = 0; i < N; i++) acc += attempt(i);
  return acc;
}

const t0 = performance.now();
const result = run();
const t1 = performance.now();
console.log(String(result));
process.stderr.write("elapsed_ms " + (t1 - t0) + "\n");
