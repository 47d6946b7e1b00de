-- atom-swap: Changes a shared mutable cell by a function, once in every turn of a loop.
local N = 1000000

local function step(old, x) return (3 * old + x) % 1000003 end
local function swap(cell, f, x)
  cell[1] = f(cell[1], x)
  return cell[1]
end

local function run()
  local a = {1}
  for i = 0, N - 1 do swap(a, step, i) end
  return a[1]
end

local t0 = os.clock()
local result = run()
local t1 = os.clock()
if type(result) == "number" then result = string.format("%d", result) end
print(result)
io.stderr:write("elapsed_ms ", (t1 - t0) * 1000, "\n")
