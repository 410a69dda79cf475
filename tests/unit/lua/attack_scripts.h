#pragma once

namespace skald::lua::testing {

// Scripts that compute for long in places where no instruction of Lua is counted. Each is a workflow's main function.
struct Attack {
  const char* name;
  const char* body;
};

inline constexpr Attack kAttacks[] = {
    {"move down a chain of metatables",
     "local t = {} for i = 1, 1990 do t = setmetatable({}, {__index = t}) end table.move(t, 1, 3999999, 1, {})"},
    {"unpack down a chain",
     "local t = {} for i = 1, 1990 do t = setmetatable({}, {__index = t}) end "
     "for i = 1, 100000 do pcall(table.unpack, t, 1, 200) end"},
    {"concat down a chain",
     "local t = {[0] = 'x'} t = setmetatable({}, {__index = function() return 'x' end}) "
     "for i = 1, 1990 do t = setmetatable({}, {__index = t}) end table.concat(t, '', 1, 3999999)"},
    {"insert at the head", "local t = {} for i = 1, 2000 do t[i] = i end for i = 1, 100000 do table.insert(t, 1, i) table.remove(t) end"},
    {"insert down a chain",
     "local log = {} local t = {} for i = 1, 1990 do t = setmetatable({}, {__newindex = t}) end "
     "for i = 1, 1000000 do table.move({1,2,3,4,5,6,7,8,9}, 1, 9, 1, t) end"},
    {"remove from the head", "local t = {} for i = 1, 2000 do t[i] = i end for i = 1, 1e6 do t[2000] = 1 table.remove(t, 1) end"},
    {"sort with an order that computes",
     "local t = {} for i = 1, 2000 do t[i] = -i end table.sort(t, function(a, b) for i = 1, 100000 do end return a < b end)"},
    {"sort with a metamethod",
     "local m = {__lt = function() for i = 1, 1e6 do end return false end} local t = {} "
     "for i = 1, 100 do t[i] = setmetatable({}, m) end table.sort(t)"},
    {"gsub with a function", "('x'):rep(1000):gsub('x', function() for i = 1, 1e6 do end end)"},
    {"gsub with a table",
     "local t = {} for i = 1, 1990 do t = setmetatable({}, {__index = t}) end while true do ('x'):rep(10000):gsub('x', t) end"},
    {"gsub with a template of captures", "while true do ('x'):rep(10000):gsub('()', ('%1'):rep(9000)) end"},
    {"a pattern that backtracks", "while true do pcall(string.find, ('a'):rep(4000), ('a*'):rep(20) .. 'b') end"},
    {"a pattern of many classes", "while true do pcall(string.find, 'x', '[' .. ('%w'):rep(490) .. ']') end"},
    {"gmatch over balanced texts", "while true do for a in ('('):rep(40000):gmatch('%b()') do end end"},
    {"tostring that computes", "tostring(setmetatable({}, {__tostring = function() while true do end end}))"},
    {"format with a tostring that computes",
     "string.format('%s', setmetatable({}, {__tostring = function() while true do end end}))"},
    {"print what computes", "print(setmetatable({}, {__tostring = function() while true do end end}))"},
    {"a message handler that computes", "xpcall(error, function() while true do end end)"},
    {"load from a function that computes", "load(function() while true do end end)"},
    {"load of large texts", "local s = ('x=1 '):rep(10000) while true do load(s) end"},
    {"a finalizer of a block", "do local x <close> = setmetatable({}, {__close = function() while true do end end}) end"},
    {"a comparison that computes", "return setmetatable({}, {__eq = function() while true do end end}) == setmetatable({}, {})"},
    {"a field of an iterated table that computes",
     "for _ in ipairs(setmetatable({}, {__index = function() while true do end end})) do end"},
    {"pairs of many keys", "local t = {} for i = 1, 1000 do t['k' .. i] = i end while true do pairs(t) end"},
    {"next of many keys", "local t = {} for i = 1, 1000 do t['k' .. i] = i end while true do next(t) end"},
    {"a large text", "local s = ('x'):rep(8000000) while true do s:upper() end"},
    {"comparing large texts", "local a, b = ('x'):rep(8000000) .. 'a', ('x'):rep(8000000) .. 'b' local n = 0 while true do n = a < b end"},
    {"reading numbers of many digits", "local s = ('1'):rep(40000) while true do tonumber(s) math.abs(s) end"},
    {"a large table that grows again", "local t = {} for i = 1, 500000 do t['k' .. i] = i end for i = 1, 1e6 do t['k' .. i] = nil t['l' .. i] = i end"},
    {"many arguments", "local function f(...) return select('#', ...) end local t = {} for i = 1, 2000 do t[i] = i end while true do f(table.unpack(t)) end"},
    {"a chain of callables", "local f = print for i = 1, 4000 do f = setmetatable({}, {__call = f}) end while true do f() end"},
    {"errors on a deep stack",
     "local function deep(n) if n > 0 then return 1 + deep(n - 1) end while true do pcall(error, 'x') end end deep(150000)"},
    {"bytes of a large text", "local s = ('x'):rep(40000) while true do pcall(string.byte, s, 1, 40000) end"},
    {"no characters", "local s = ('\\x80'):rep(40000) local f = utf8.codes('') while true do f(s, 1) pcall(utf8.offset, s, 0, 40000) end"},
    {"values that share what they hold",
     "local t = {} for i = 1, 40 do t = {t, t} end while true do pcall(skald.fail, {type = 'x', message = 'm', details = t}) end"},
    {"large details", "while true do pcall(skald.fail, {type = 'x', message = 'm', details = ('x'):rep(40000)}) end"},
    {"a predicate that computes", "skald.async(function() skald.wait_until(function() while true do end end) end) skald.sleep(1)"},
    {"a side effect that computes", "skald.side_effect(function() while true do end end)"},
    {"branches without end", "local function again() skald.async(again) for i = 1, 500 do end end again() skald.sleep(1)"},
    {"memory used up", "local t = {} for i = 1, 1e9 do t[i] = {} end"},
    {"garbage without end", "while true do local t = {} for i = 1, 1000 do t[i] = {i} end end"},
};

}  // namespace skald::lua::testing
