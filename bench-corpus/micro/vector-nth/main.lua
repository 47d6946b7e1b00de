-- vector-nth: Reads a vector of 100 integers at a moving index.
local N = 3000000

local function run()
  local v = {}
  for i = 0, 99 do v[i + 1] = i end
  local acc = 0
  for i = 0, N - 1 do acc = (3 * acc + v[i % 100 + 1]) % 1000003 end
  return acc
end

local t0 = os.clock()
local result = run()
local t1 = os.clock()
if type(result) == "number" then result = string.format("%d", result) end
print(result)
io.stderr:write("elapsed_ms ", (t1 - t0) * 1000, "\n")
