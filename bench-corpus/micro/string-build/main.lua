-- string-build: Makes short strings out of literals and numbers and adds up their lengths.
local N = 300000

local function run()
  local acc = 0
  for i = 0, N - 1 do acc = acc + #("item-" .. i .. ":" .. (i % 7)) end
  return acc
end

local t0 = os.clock()
local result = run()
local t1 = os.clock()
if type(result) == "number" then result = string.format("%d", result) end
print(result)
io.stderr:write("elapsed_ms ", (t1 - t0) * 1000, "\n")
