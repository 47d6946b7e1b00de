// destructure: Takes a vector of two and a map of two apart by pattern in every turn of a loop.
"use strict";
const N = 400000;

const pairs = [[1, 2], [3, 4], [5, 6]];
const points = [{ x: 1, y: 2 }, { x: 3, y: 4 }, { x: 5, y: 6 }];

function run() {
  let acc = 0;
  for (let i = 0; i < N; i++) {
    const j = i % 3;
    const [a, b] = pairs[j];
    const { x, y } = points[j];
    acc = (acc + a * x + b * y) % 1000003;
  }
  return acc;
}

const t0 = performance.now();
const result = run();
const t1 = performance.now();
console.log(String(result));
process.stderr.write("elapsed_ms " + (t1 - t0) + "\n");
