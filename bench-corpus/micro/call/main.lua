-- call: Calls a named function of two arguments in a loop.
local N = 3000000

local function step(a, b) return (a + b) % 1000003 end

local function run()
  local acc = 0
  for i = 0, N - 1 do acc = step(acc, i) end
  return acc
end

local t0 = os.clock()
local result = run()
local t1 = os.clock()
if type(result) == "number" then result = string.format("%d", result) end
print(result)
io.stderr:write("elapsed_ms ", (t1 - t0) * 1000, "\n")
