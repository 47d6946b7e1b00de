// dynamic-var: Binds a dynamic variable around a call that reads it twice.
"use strict";
const N = 500000;

let scale = 1;

function scaled(x) { return scale * x + scale; }

function withScale(value, x) {
  const outer = scale;
  scale = value;
  try { return scaled(x); } finally { scale = outer; }
}

function run() {
  let acc = 0;
  for (let i = 0; i < N; i++) acc = (acc + withScale(i % 7, i)) % 1000003;
  return acc;
}

const t0 = performance.now();
const result = run();
const t1 = performance.now();
console.log(String(result));
process.stderr.write("elapsed_ms " + (t1 - t0) + "\n");
