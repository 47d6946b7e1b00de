-- rest-args: Calls a function that takes any number of arguments and adds them up.
local N = 500000

local function total(...)
  local xs = {...}
  local s = 0
  for i = 1, #xs do s = s + xs[i] end
  return s
end

local function run()
  local acc = 0
  for i = 0, N - 1 do acc = total(acc, i, 1, 2) % 1000003 end
  return acc
end

local t0 = os.clock()
local result = run()
local t1 = os.clock()
if type(result) == "number" then result = string.format("%d", result) end
print(result)
io.stderr:write("elapsed_ms ", (t1 - t0) * 1000, "\n")
