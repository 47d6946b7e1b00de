// string-build: Makes short strings out of literals and numbers and adds up their lengths.
"use strict";
const N = 300000;

function run() {
  let acc = 0;
  for (let i = 0; i < N; i++) acc += ("item-" + i + ":" + (i % 7)).length;
  return acc;
}

const t0 = performance.now();
const result = run();
const t1 = performance.now();
console.log(String(result));
process.stderr.write("elapsed_ms " + (t1 - t0) + "\n");
