-- destructure: Takes a vector of two and a map of two apart by pattern in every turn of a loop.
local N = 400000

local unpack = table.unpack or unpack
local pairs_ = {{1, 2}, {3, 4}, {5, 6}}
local points = {{x = 1, y = 2}, {x = 3, y = 4}, {x = 5, y = 6}}

local function run()
  local acc = 0
  for i = 0, N - 1 do
    local j = i % 3 + 1
    local a, b = unpack(pairs_[j])
    local p = points[j]
    local x, y = p.x, p.y
    acc = (acc + a * x + b * y) % 1000003
  end
  return acc
end

local t0 = os.clock()
local result = run()
local t1 = os.clock()
if type(result) == "number" then result = string.format("%d", result) end
print(result)
io.stderr:write("elapsed_ms ", (t1 - t0) * 1000, "\n")
