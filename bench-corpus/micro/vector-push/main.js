// vector-push: Appends integers to an empty vector one by one, a thousand to each of many
// vectors.
"use strict";
const N = 600;

function filled() {
  const v = [];
  for (let i = 0; i < 1000; i++) v.push(i);
  return v;
}

function run() {
  let acc = 0;
  for (let i = 0; i < N; i++) {
    const v = filled();
    acc = (acc + v.length + v[i % 1000]) % 1000003;
  }
  return acc;
}

const t0 = performance.now();
const result = run();
const t1 = performance.now();
console.log(String(result));
process.stderr.write("elapsed_ms " + (t1 - t0) + "\n");
