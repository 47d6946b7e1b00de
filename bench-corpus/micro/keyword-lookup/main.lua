-- keyword-lookup: Reads three keys of small maps by keyword; two maps of the same shape take
-- turns.
local N = 1500000

local one = {a = 1, b = 2, c = 3, d = 4}
local two = {a = 5, b = 6, c = 7, d = 8}

local function run()
  local acc = 0
  for i = 0, N - 1 do
    local m = i % 2 == 0 and one or two
    acc = (acc + m.a + m.b * m.d) % 1000003
  end
  return acc
end

local t0 = os.clock()
local result = run()
local t1 = os.clock()
if type(result) == "number" then result = string.format("%d", result) end
print(result)
io.stderr:write("elapsed_ms ", (t1 - t0) * 1000, "\n")
