// atom-swap: Changes a shared mutable cell by a function, once in every turn of a loop.
"use strict";
const N = 1000000;

function step(old, x) { return (3 * old + x) % 1000003; }
function swap(cell, f, x) { return (cell.value = f(cell.value, x)); }

function run() {
  const a = { value: 1 };
  for (let i = 0; i < N; i++) swap(a, step, i);
  return a.value;
}

const t0 = performance.now();
const result = run();
const t1 = performance.now();
console.log(String(result));
process.stderr.write("elapsed_ms " + (t1 - t0) + "\n");
