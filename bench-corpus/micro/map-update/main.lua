-- map-update: Counts in a map of eight keyword keys: one update with a function in every turn.
local N = 500000

local names = {"a", "b", "c", "d", "e", "f", "g", "h"}

local function run()
  local m = {}
  for _, k in ipairs(names) do m[k] = 0 end
  for i = 0, N - 1 do
    local k = names[(i * 5) % 8 + 1]
    m[k] = m[k] + 1
  end
  return m.a + 3 * m.d + 7 * m.h
end

local t0 = os.clock()
local result = run()
local t1 = os.clock()
if type(result) == "number" then result = string.format("%d", result) end
print(result)
io.stderr:write("elapsed_ms ", (t1 - t0) * 1000, "\n")
