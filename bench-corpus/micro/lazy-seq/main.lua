-- lazy-seq: Walks an infinite sequence whose every cell is computed when first asked for and
-- then kept.
local N = 300000

local function force(c)
  if c.thunk then
    c.value, c.rest = c.thunk()
    c.thunk = nil
  end
end

local function ints_from(n)
  return {thunk = function() return n, ints_from(n + 1) end}
end

local function run()
  local acc, xs = 0, ints_from(0)
  for i = 0, N - 1 do
    force(xs)
    acc = (3 * acc + xs.value) % 1000003
    xs = xs.rest
  end
  return acc
end

local t0 = os.clock()
local result = run()
local t1 = os.clock()
if type(result) == "number" then result = string.format("%d", result) end
print(result)
io.stderr:write("elapsed_ms ", (t1 - t0) * 1000, "\n")
