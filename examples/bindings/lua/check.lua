-- Run by Lua 5.4 and by LuaJIT: `examples/bindings/run lua`.
local counter = require "counter"

local function fails(text, call, ...)
    local ok, message = pcall(call, ...)
    assert(not ok and message:find(text, 1, true), tostring(message))
end

local function line() return debug.getinfo(2, "l").currentline end

-- Use, close, and what comes after.
local one = counter.new(5)
local made = "check.lua:" .. line() - 1
assert(one:add(2) == 7 and one:add(-7) == 0)
assert(counter.leaks():find(made, 1, true), counter.leaks())
local pointer = one:pointer()
assert(type(pointer) == "userdata" and counter.add_to(pointer, 3) == 3)
one:close()
fails("was removed", one.add, one, 1)
fails(made, one.add, one, 1)
fails("was removed", one.close, one)
fails("was removed", counter.add_to, pointer, 1)
fails("malformed", counter.add_to, io.stdout, 1)
assert(counter.live() == 0)

-- What is only forgotten is closed by the collector.
for number = 1, 1000 do counter.new(number):add(1) end
assert(counter.live() > 0)
collectgarbage()
collectgarbage()
assert(counter.live() == 0, counter.live())

-- What is kept for ever is a leak, and the report has its line.
kept = counter.new(1)
assert(counter.live() == 1 and counter.leaks():find("check.lua:" .. line() - 1, 1, true))

-- Lua 5.4 ends a scope at once.
if _VERSION == "Lua 5.4" then
    assert(load [[
        local counter = ...
        do local scoped <close> = counter.new(1) end
        assert(counter.live() == 1)
    ]])(counter)
end
print((jit and jit.version or _VERSION) .. ": ok")
