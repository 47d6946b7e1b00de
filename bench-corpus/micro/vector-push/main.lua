-- vector-push: Appends integers to an empty vector one by one, a thousand to each of many
-- vectors.
local N = 600

local function filled()
  local v = {}
  for i = 0, 999 do v[#v + 1] = i end
  return v
end

local function run()
  local acc = 0
  for i = 0, N - 1 do
    local v = filled()
    acc = (acc + #v + v[i % 1000 + 1]) % 1000003
  end
  return acc
end

local t0 = os.clock()
local result = run()
local t1 = os.clock()
if type(result) == "number" then result = string.format("%d", result) end
print(result)
io.stderr:write("elapsed_ms ", (t1 - t0) * 1000, "\n")
