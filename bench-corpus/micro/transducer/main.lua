-- transducer: Reduces a range through a composed map, filter and map, with no sequence in
-- between.
local N = 600000

local function mapping(f)
  return function(rf)
    return function(acc, x) return rf(acc, f(x)) end
  end
end

local function filtering(p)
  return function(rf)
    return function(acc, x)
      if p(x) then return rf(acc, x) end
      return acc
    end
  end
end

local function run()
  local a = mapping(function(x) return x * 3 end)
  local b = filtering(function(x) return x % 2 == 0 end)
  local c = mapping(function(x) return x + 1 end)
  local rf = a(b(c(function(acc, x) return (acc + x) % 1000003 end)))
  local acc = 0
  for i = 0, N - 1 do acc = rf(acc, i) end
  return acc
end

local t0 = os.clock()
local result = run()
local t1 = os.clock()
if type(result) == "number" then result = string.format("%d", result) end
print(result)
io.stderr:write("elapsed_ms ", (t1 - t0) * 1000, "\n")
