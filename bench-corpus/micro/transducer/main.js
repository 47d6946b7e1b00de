// transducer: Reduces a range through a composed map, filter and map, with no sequence in
// between.
"use strict";
const N = 600000;

const mapping = (f) => (rf) => (acc, x) => rf(acc, f(x));
const filtering = (p) => (rf) => (acc, x) => (p(x) ? rf(acc, x) : acc);
const comp = (a, b, c) => (rf) => a(b(c(rf)));

function run() {
  const xf = comp(mapping((x) => x * 3), filtering((x) => x % 2 === 0), mapping((x) => x + 1));
  const rf = xf((acc, x) => (acc + x) % 1000003);
  let acc = 0;
  for (let i = 0; i < N; i++) acc = rf(acc, i);
  return acc;
}

const t0 = performance.now();
const result = run();
const t1 = performance.now();
console.log(String(result));
process.stderr.write("elapsed_ms " + (t1 - t0) + "\n");
