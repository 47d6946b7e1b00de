// map-update: Counts in a map of eight keyword keys: one update with a function in every turn.
"use strict";
const N = 500000;

const names = ["a", "b", "c", "d", "e", "f", "g", "h"];

function run() {
  const m = new Map();
  for (const k of names) m.set(k, 0);
  for (let i = 0; i < N; i++) {
    const k = names[(i * 5) % 8];
    m.set(k, m.get(k) + 1);
  }
  return m.get("a") + 3 * m.get("d") + 7 * m.get("h");
}

const t0 = performance.now();
const result = run();
const t1 = performance.now();
console.log(String(result));
process.stderr.write("elapsed_ms " + (t1 - t0) + "\n");
