-- multimethod: Calls one operation on three kinds of values, found in an open table by a
-- computed key.
local N = 500000

local methods = {}
function methods.square(s) return s.side * s.side end
function methods.rect(s) return s.w * s.h end
function methods.triangle(s) return math.floor(s.base * s.height / 2) end

local function area(s) return methods[s.kind](s) end

local shapes = {
  {kind = "square", side = 3},
  {kind = "rect", w = 2, h = 5},
  {kind = "triangle", base = 6, height = 7},
}

local function run()
  local acc = 0
  for i = 0, N - 1 do acc = (3 * acc + area(shapes[i % 3 + 1])) % 1000003 end
  return acc
end

local t0 = os.clock()
local result = run()
local t1 = os.clock()
if type(result) == "number" then result = string.format("%d", result) end
print(result)
io.stderr:write("elapsed_ms ", (t1 - t0) * 1000, "\n")
