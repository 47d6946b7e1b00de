-- dynamic-var: Binds a dynamic variable around a call that reads it twice.
local N = 500000

local scale = 1

local function scaled(x) return scale * x + scale end

local function with_scale(value, x)
  local outer = scale
  scale = value
  local r = scaled(x)
  scale = outer
  return r
end

local function run()
  local acc = 0
  for i = 0, N - 1 do acc = (acc + with_scale(i % 7, i)) % 1000003 end
  return acc
end

local t0 = os.clock()
local result = run()
local t1 = os.clock()
if type(result) == "number" then result = string.format("%d", result) end
print(result)
io.stderr:write("elapsed_ms ", (t1 - t0) * 1000, "\n")
