-- protocol-call: Calls one method on two types of records that take turns.
local N = 1500000

local Square = {}
Square.__index = Square
function Square:area(k) return self.side * self.side + k end

local Rect = {}
Rect.__index = Rect
function Rect:area(k) return self.w * self.h + k end

local function run()
  local one = setmetatable({side = 3}, Square)
  local two = setmetatable({w = 2, h = 5}, Rect)
  local acc = 0
  for i = 0, N - 1 do
    local s = i % 2 == 0 and one or two
    acc = (3 * acc + s:area(i)) % 1000003
  end
  return acc
end

local t0 = os.clock()
local result = run()
local t1 = os.clock()
if type(result) == "number" then result = string.format("%d", result) end
print(result)
io.stderr:write("elapsed_ms ", (t1 - t0) * 1000, "\n")
