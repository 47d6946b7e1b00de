-- closure-call: Makes a closure over one variable in every turn of a loop and calls it once.
local N = 2000000

local function adder(k)
  return function(x) return (x + k) % 1000003 end
end

local function run()
  local acc = 0
  for i = 0, N - 1 do acc = adder(i)(acc) end
  return acc
end

local t0 = os.clock()
local result = run()
local t1 = os.clock()
if type(result) == "number" then result = string.format("%d", result) end
print(result)
io.stderr:write("elapsed_ms ", (t1 - t0) * 1000, "\n")
