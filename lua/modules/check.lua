-- skald.check: what comes from outside, against a schema. docs/authoring.md, "Checking what comes in", is the contract.
local skald = require "skald"

local check = {}
local Schema = {}
Schema.__index = Schema

local LONGEST_TEXT, LONGEST_LIST, DEEPEST = 1000, 1000, 16
local LARGEST_AMOUNT = 1000000000000000  -- adding up a thousand of them does not overflow

local function schema(kind, fields)
  fields.kind = kind
  return setmetatable(fields, Schema)
end

-- What stands in a message in a value's place: never much of it.
local function told(value)
  local kind = type(value)
  if value == nil then return "missing" end
  if value == skald.null then return "null" end
  if kind == "table" then return #value > 0 and "a list" or "an object" end
  if kind ~= "string" then return tostring(value) end
  if #value > 40 then value = value:sub(1, 40):gsub("[\x80-\xff]+$", "") .. "…" end
  return '"' .. value:gsub('[%c"\\]', " ") .. '"'
end

local function range(from, up_to)
  if from and up_to then return from == up_to and " of " .. from or " from " .. from .. " to " .. up_to end
  if from then return " of at least " .. from end
  return up_to and " of at most " .. up_to or ""
end

local function wrong(self, value) return "", "must be " .. self.wanted .. ", is " .. told(value) end

-- Each kind's function returns nothing, or where something is wrong, from the value on, and what.
local kinds = {}

function kinds.text(self, value)
  if type(value) ~= "string" then return wrong(self, value) end
  local length = #value
  if length > self.up_to then length = utf8.len(value) or length end
  if length < self.from or length > self.up_to then return "", "must be " .. self.wanted .. ", has " .. length end
  if self.like and not value:find(self.like) then return wrong(self, value) end
end

function kinds.number(self, value)
  if type(value) ~= "number" or (self.whole and value % 1 ~= 0) or value < self.from or value > self.up_to then return wrong(self, value) end
end

function kinds.boolean(self, value)
  if type(value) ~= "boolean" then return wrong(self, value) end
end

function kinds.one_of(self, value)
  if value == nil or not self.values[value] then return wrong(self, value) end
end

function kinds.duration(self, value)
  if not skald.is_duration(value) then return wrong(self, value) end
end

function kinds.currency(self, value)
  if not check.exponent(value) then return wrong(self, value) end
end

local function nests(value, left)
  if left == 0 then return false end
  for _, part in next, value do
    if type(part) == "table" and not nests(part, left - 1) then return false end
  end
  return true
end

function kinds.anything(self, value)
  if value == nil then return wrong(self, value) end
  if type(value) == "table" and not nests(value, self.deepest) then return "", "is nested deeper than " .. self.deepest .. " levels" end
end

function kinds.list(self, value)
  if type(value) ~= "table" then return wrong(self, value) end
  local count = #value
  -- Whoever wrote it in Lua had one notation for the empty list and the empty object.
  if count == 0 and next(value) ~= nil then return wrong(self, value) end
  if count < self.from or count > self.up_to then return "", "must be " .. self.wanted .. ", has " .. count end
  local of, find = self.of, kinds[self.of.kind]
  for i = 1, count do
    local place, problem = find(of, value[i])
    if place then return "[" .. i .. "]" .. place, problem end
  end
end

function kinds.map(self, value)
  if type(value) ~= "table" or #value > 0 then return wrong(self, value) end
  local of, find, count = self.of, kinds[self.of.kind], 0
  for key, part in pairs(value) do
    count = count + 1
    if count > self.up_to then return "", "must be " .. self.wanted .. ", has more" end
    local place, problem = find(of, part)
    if place then return "[" .. told(key) .. "]" .. place, problem end
  end
end

function kinds.object(self, value)
  if type(value) ~= "table" or #value > 0 then return wrong(self, value) end
  for i, name in ipairs(self.names) do
    local field, part = self.list[i], value[name]
    if part ~= nil or not field.optional then
      local place, problem = kinds[field.kind](field, part)
      if place then return "." .. name .. place, problem end
    end
  end
  if self.others then return end
  for key in next, value do
    if not self.fields[key] then
      return "", "has a field " .. told(key) .. " that nobody knows; there are: " .. table.concat(self.names, ", ")
    end
  end
end

local LIMITS = { from = "number", up_to = "number", like = "string" }

-- The limits that a schema's author gives, or those that hold without.
local function limits(options, what, from, up_to)
  for key, value in pairs(options or {}) do
    if type(value) ~= LIMITS[key] then
      error("skald.check." .. what .. ": there are from and up_to, numbers, and like, a pattern; not '" .. tostring(key) .. "' = " .. told(value), 3)
    end
  end
  return options and options.from or from, options and options.up_to or up_to
end

local function expect_schema(value, what)
  if getmetatable(value) == Schema then return value end
  error("skald.check." .. what .. ": a schema is expected, such as skald.check.text()", 3)
end

-- A text of so many characters; `like` is a pattern that it must have.
function check.text(options)
  local from, up_to = limits(options, "text", 1, LONGEST_TEXT)
  local like = options and options.like
  local wanted = "a text" .. range(from, up_to):gsub("^ from", " of") .. " characters" .. (like and " like " .. like or "")
  return schema("text", { from = from, up_to = up_to, like = like, wanted = wanted })
end

function check.whole(options)
  local from, up_to = limits(options, "whole")
  return schema("number", { whole = true, from = from or -math.huge, up_to = up_to or math.huge, wanted = "a whole number" .. range(from, up_to) })
end

function check.number(options)
  local from, up_to = limits(options, "number")
  return schema("number", { from = from or -math.huge, up_to = up_to or math.huge, wanted = "a number" .. range(from, up_to) })
end

function check.boolean() return schema("boolean", { wanted = "true or false" }) end

function check.one_of(values)
  local known, words = {}, {}
  for i, value in ipairs(values) do known[value], words[i] = true, told(value) end
  return schema("one_of", { values = known, wanted = "one of " .. table.concat(words, ", ") })
end

function check.duration() return schema("duration", { wanted = 'a duration like "15m", or seconds' }) end

-- An amount in minor units of its currency.
function check.amount(options)
  local from, up_to = limits(options, "amount", 0, LARGEST_AMOUNT)
  return schema("number", { whole = true, from = from, up_to = up_to, wanted = "an amount in minor units, a whole number" .. range(from, up_to) })
end

function check.currency() return schema("currency", { wanted = 'a currency of ISO 4217, like "EUR"' }) end

-- Whatever it is, nested at most `deepest` levels.
function check.anything(deepest) return schema("anything", { deepest = deepest or DEEPEST, wanted = "there" }) end

function check.list(of, options)
  expect_schema(of, "list")
  local from, up_to = limits(options, "list", 0, LONGEST_LIST)
  return schema("list", { of = of, from = from, up_to = up_to, wanted = "a list" .. range(from, up_to):gsub("^ from", " of") .. " entries" })
end

-- Texts, whatever they are, to values of a kind.
function check.map(of, options)
  expect_schema(of, "map")
  local _, up_to = limits(options, "map", 0, LONGEST_LIST)
  return schema("map", { of = of, up_to = up_to, wanted = "an object of at most " .. up_to .. " fields" })
end

-- An object with these fields. Others are refused, unless `others` is "allowed".
function check.object(fields, others)
  if others ~= nil and others ~= "allowed" and others ~= "refused" then error("skald.check.object: other fields are \"allowed\" or \"refused\"", 2) end
  local names, list = {}, {}
  for name, field in pairs(fields) do
    names[#names + 1], list[#list + 1] = name, expect_schema(field, "object")
  end
  return schema("object", { fields = fields, names = names, list = list, others = others == "allowed", wanted = "an object" })
end

function check.optional(of)
  local copy = {}
  for key, value in pairs(expect_schema(of, "optional")) do copy[key] = value end
  copy.optional = true
  return setmetatable(copy, Schema)
end

-- What is wrong with the value, in a sentence; or nothing. `what` names it.
function check.problem(value, of, what)
  expect_schema(of, "problem")
  if of.optional and value == nil then return end
  local place, problem = kinds[of.kind](of, value)
  if not place then return end
  place = place:sub(1, 1) == "." and place:sub(2) or (what or "the input") .. place
  return place .. " " .. problem
end

-- Whether the value is what it should be. If not, the log says why.
function check.accepts(value, of, what)
  local problem = check.problem(value, of, what)
  if problem then skald.log.warn((what or "a value") .. " is dropped: " .. problem) end
  return problem == nil
end

-- ISO 4217: how many decimals the currency's minor units are. Nothing for what is no currency.
local DECIMALS = {
  [0] = " BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF ",
  [3] = " BHD IQD JOD KWD LYD OMR TND ",
  [4] = " CLF UYW ",
  [2] = " AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW CNY COP COU CRC CUP CVE"
    .. " CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR"
    .. " LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD"
    .. " SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG ",
}

function check.exponent(currency)
  if type(currency) ~= "string" or #currency ~= 3 or not currency:find("^%u%u%u$") then return nil end
  local word = " " .. currency .. " "
  for decimals, all in pairs(DECIMALS) do
    if all:find(word, 1, true) then return decimals end
  end
end

return setmetatable(check, {
  __metatable = false,
  -- The value, if it is as the schema has it; else the workflow ends with what is wrong.
  __call = function(_, value, of, what)
    local problem = check.problem(value, of, what)
    if not problem then return value end
    skald.fail { type = "InvalidInput", message = problem, non_retryable = true }
  end,
})
