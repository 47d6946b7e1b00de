-- try-enter: Enters and leaves a handler in every turn; one turn in a thousand throws.
local N = 1000000

local function check(i)
  if i % 1000 == 999 then error("thousandth") end
  return i % 10
end

local function attempt(i)
  local ok, v = pcall(check, i)
  if ok then return v end
  return 7
end

local function run()
  local acc = 0
  for i = 0, N - 1 do acc = acc + attempt(i) end
  return acc
end

local t0 = os.clock()
local result = run()
local t1 = os.clock()
if type(result) == "number" then result = string.format("%d", result) end
print(result)
io.stderr:write("elapsed_ms ", (t1 - t0) * 1000, "\n")
