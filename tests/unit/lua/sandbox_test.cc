#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/lua/history_driver.h"

namespace skald::lua::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;

struct Ran {
  std::string result;
  std::string error;
};

Ran run(const std::string& body, HandlerOptions options = {}) {
  HistoryDriver driver("local skald = require 'skald'\nreturn function()\n" + body + "\nend", options);
  driver.start();
  driver.run();
  return {driver.result(), driver.task_failure_text()};
}

std::string value(const std::string& body) {
  const Ran ran = run(body);
  return ran.error.empty() ? ran.result : "error: " + ran.error;
}

HandlerOptions small_limits() {
  HandlerOptions options;
  options.limits.memory_bytes = 4 << 20;
  options.limits.budget = 2'000'000;
  return options;
}

TEST(Sandbox, HasNoWayOut) {
  for (const char* name :
       {"io", "os", "debug", "package", "coroutine", "dofile", "loadfile", "collectgarbage", "module", "jit", "ffi"}) {
    EXPECT_THAT(value(std::string("return ") + name), HasSubstr(std::string("undefined variable '") + name + "'"));
  }
  EXPECT_EQ(value("return { string.dump == nil, rawget(_G, 'io') == nil }"), "[true,true]");
  EXPECT_THAT(value("return load('\\27Lua')"), "null");
  EXPECT_THAT(value("return load('return 1', 'x', 'b')"), HasSubstr("source text only"));
  EXPECT_EQ(value("return load('return 1 + 1')()"), "2");
  EXPECT_THAT(value("require('os')"), HasSubstr("module 'os' not found"));
  EXPECT_EQ(value("return { getmetatable(_G), getmetatable('') }"), "[false,false]");
}

TEST(Sandbox, RefusesBytecodeAndForeignModules) {
  // The head of a real binary chunk of Lua 5.4.
  EXPECT_THAT(value(R"(local f, err = load('\27LuaT\0\25\147\r\n\26\n\4\8\8xV'); return { f == nil, err })"),
              HasSubstr("attempt to load a binary chunk"));
  EXPECT_THAT(
      value(
          R"(local n = 0; local f, err = load(function() n = n + 1; return n == 1 and '\27Lua' or nil end); return err)"),
      HasSubstr("attempt to load a binary chunk"));
  EXPECT_EQ(value("local f = load('return io', 'x', 't', { io = 1 }); return f()"), "1");
  for (const char* name : {"io", "debug", "string", "../order", "/etc/passwd", "order"}) {
    EXPECT_THAT(value(std::string("return require('") + name + "')"), HasSubstr("not found"));
  }
}

TEST(Sandbox, GivesNoHandOnSharedMetatables) {
  EXPECT_THAT(value("return setmetatable(_G, {})"), HasSubstr("cannot change a protected metatable"));
  for (const char* what :
       {"skald.null", "skald.timer('1s')", "skald.signal('x')", "skald.activities('a', { start_to_close = 1 })"}) {
    const std::string answer = value(std::string("return getmetatable(") + what + ") or 'none'");
    EXPECT_THAT(answer, ::testing::AnyOf("\"none\"", "false")) << what;
  }
  EXPECT_THAT(value("skald.array({}).__index = 1; return getmetatable(skald.array {})"), "false");
  EXPECT_EQ(value("rawset(_G, 'leak', 1); return leak"), "1");
  EXPECT_THAT(value("return leak"), HasSubstr("undefined variable 'leak'"));
}

TEST(Sandbox, OneRunsEndDoesNotTouchTheNext) {
  Definitions definitions;
  CollectedLog log;
  HistoryDriver driver(
      "local skald = require 'skald'\nlocal how\nreturn function(way)\n"
      "  if way == 1 then while true do end end\n"
      "  if way == 2 then local t = {} while true do t[#t + 1] = #t .. 'x' end end\n"
      "  return way\nend",
      small_limits());
  driver.start({"1"});
  driver.run();
  EXPECT_EQ(driver.task_failure_text(), "order.lua:4: the workflow computed for too long without waiting");
  for (const char* way : {"2", "3"}) {
    WorkflowTaskHandler::Task task;
    task.mutable_workflow_type()->set_name("order");
    task.mutable_workflow_execution()->set_run_id(way);
    *task.mutable_history() = driver.history();
    task.mutable_history()->mutable_events()->DeleteSubrange(3, task.history().events_size() - 3);
    task.mutable_history()
        ->mutable_events(0)
        ->mutable_workflow_execution_started_event_attributes()
        ->mutable_input()
        ->mutable_payloads(0)
        ->set_data(way);
    WorkflowTaskHandler::Answer answer;
    std::unique_ptr<WorkflowTaskHandler::Unfinished> unfinished;
    driver.handler().handle(task, "default", 0, answer, unfinished);
    EXPECT_EQ(answer.index(), way[0] == '3' ? 0u : 1u);
  }
}

TEST(Sandbox, GlobalsAreErrors) {
  EXPECT_EQ(value("total = 1"), "error: order.lua:3: 'total' is not a local variable; write 'local total'");
  EXPECT_EQ(value("return totl"), "error: order.lua:3: undefined variable 'totl'");
}

TEST(Sandbox, ShowsNoAddresses) {
  EXPECT_EQ(value("return { tostring({}), tostring(print), tostring(skald.null), string.format('%s|%s', {}, print), "
                  "tostring(skald.timer('1s')) }"),
            R"(["table","function","null","table|function","future"])");
  EXPECT_THAT(value("return string.format('%p', {})"), HasSubstr("'%p' is not available"));
  EXPECT_EQ(value("return string.format('%5.1f|%q|%d|%%p', 1.25, 'x', 3)"), R"("  1.2|\"x\"|3|%p")");
}

TEST(Sandbox, RefusesFinalizersAndWeakTables) {
  EXPECT_THAT(value("setmetatable({}, { __gc = print })"), HasSubstr("__gc is not available"));
  EXPECT_THAT(value("setmetatable({}, { __mode = 'k' })"), HasSubstr("__mode is not available"));
}

TEST(Sandbox, PairsGoesBySortedKeys) {
  EXPECT_EQ(value(R"(
    local t = { 10, 20, z = 1, a = 2, [7] = 3, [-1] = 4, [0.5] = 5, [true] = 6, [false] = 7, m = 8 }
    local keys = skald.array {}
    for k in pairs(t) do keys[#keys + 1] = tostring(k) end
    local again = skald.array {}
    local k = next(t)
    while k ~= nil do again[#again + 1] = tostring(k); k = next(t, k) end
    return { table.concat(keys, " "), table.concat(again, " ") })"),
            R"(["1 2 7 -1 0.5 a m z false true","1 2 7 -1 0.5 a m z false true"])");
  EXPECT_EQ(value("local t = { a = 1, b = 2, c = 3 }; local n = ''; for k in pairs(t) do t.b = nil; t.d = 4; n = n .. "
                  "k end; return n"),
            R"("ac")");
  EXPECT_THAT(value("for k in pairs({ [{}] = 1 }) do end"), HasSubstr("keys of type table have no fixed order"));
  EXPECT_EQ(value("for k in pairs({}) do return k end return next({}) == nil"), "true");
}

TEST(Sandbox, SortsStablyAndTheSameAlways) {
  EXPECT_EQ(value(R"(
    local t = {}
    for i = 1, 300 do t[i] = { key = i % 3, i = i } end
    table.sort(t, function(a, b) return a.key < b.key end)
    local good = true
    for i = 2, 300 do
      if t[i].key < t[i-1].key or (t[i].key == t[i-1].key and t[i].i < t[i-1].i) then good = false end
    end
    local s = { "pear", "apple", "fig" }
    table.sort(s)
    return { good, table.concat(s, ",") })"),
            R"([true,"apple,fig,pear"])");
  EXPECT_THAT(value("table.sort({ 3, 1 }, function(a, b) skald.sleep('1s') end)"),
              HasSubstr("waiting is not possible inside a comparison"));
}

TEST(Sandbox, PatternsAreLuas) {
  EXPECT_EQ(value("return { ('key = value'):match('^(%w+)%s*=%s*(%w+)$') }"), R"(["key","value"])");
  EXPECT_EQ(value("return { ('hello world'):find('o w'), ('hello'):find('l+') }"), "[5,3,4]");
  EXPECT_EQ(value("return { ('hello'):find('xyz', 1, true) == nil, ('a.b'):find('.', 1, true) }"), "[true,2,2]");
  EXPECT_EQ(value("return { ('abc'):gsub('%w', '%0%0'), ('abc'):gsub('', '-') }"), R"(["aabbcc","-a-b-c-",4])");
  EXPECT_EQ(value("return { ('hello world'):gsub('o', { o = '0' }) }"), R"(["hell0 w0rld",2])");
  EXPECT_EQ(value("return { ('abc'):gsub('b', function(c) return c:upper() end) }"), R"(["aBc",1])");
  EXPECT_EQ(
      value(
          "local t = skald.array {}; for k, v in ('a=1, b=2'):gmatch('(%w+)=(%w+)') do t[#t+1] = k .. v end; return t"),
      R"(["a1","b2"])");
  EXPECT_EQ(value("return { ('THE (quick) fox'):find('%((%a+)%)') }"), R"([5,11,"quick"])");
  EXPECT_EQ(value("return { ('f(a(b)c)d'):match('%b()'), ('THE (quick) fox'):gsub('%f[%a]%a+', 'w') }"),
            R"x(["(a(b)c)","w (w) w",3])x");
  EXPECT_EQ(value("return { ('\"x\"'):match([[([\"'])(.-)%1]]) }"), R"(["\"","x"])");
  EXPECT_EQ(value("return { ('aaa'):match('a-b') == nil, ('aaab'):match('a-b'), ('x'):match('()') }"),
            R"([true,"aaab",1])");
  EXPECT_EQ(value("return { ('[]^'):match('[]]'), ('a-z'):match('[a%-z]+'), ('b'):match('[^a]') }"),
            R"(["]","a-z","b"])");
  for (const char* bad : {"'%'", "'['", "'('", "')'", "'%1'", "'%f'", "'%b'", "'[a'"}) {
    EXPECT_THAT(value(std::string("return ('x'):match(") + bad + ")"), HasSubstr("error: order.lua:3:")) << bad;
  }
}

TEST(Sandbox, PatternBombsAreDefused) {
  EXPECT_THAT(value("return ('a'):rep(60):match('a*a*a*a*a*a*a*a*a*a*b')"),
              HasSubstr("pattern takes too long to match"));
  EXPECT_THAT(value("return ('a'):rep(100000):find('.-.-.-.-b')"), HasSubstr("pattern takes too long to match"));
  EXPECT_THAT(value("return ('x'):match(('a'):rep(5000))"), HasSubstr("pattern too long"));
  EXPECT_EQ(value("return #('ab'):rep(100000):gsub('a', 'x')"), "200000");
}

TEST(Sandbox, HugeTextsAndTablesAreRefused) {
  EXPECT_THAT(value("return ('x'):rep(1e9)"), HasSubstr("resulting text too long"));
  EXPECT_EQ(value("return ('').rep('', 1e18)"), "\"\"");
  EXPECT_THAT(value("table.move({}, 1, 1e15, 2)"), HasSubstr("elements at once"));
  EXPECT_THAT(value("table.concat({}, '', 1, 1e15)"), HasSubstr("elements at once"));
  EXPECT_THAT(value("table.insert(setmetatable({}, { __len = function() return 1 << 60 end }), 1, 'x')"),
              HasSubstr("__len metamethod"));
}

TEST(Sandbox, MemoryIsLimited) {
  const Ran ran = run("local t = {}\nfor i = 1, 1e9 do t[i] = i .. 'text' end", small_limits());
  EXPECT_EQ(ran.error, "order.lua:4: the workflow used up its memory");
  EXPECT_THAT(run("local s = 'x'\nwhile true do s = s .. s end", small_limits()).error,
              HasSubstr("used up its memory"));
}

TEST(Sandbox, WhatTheHostAddsToAFullMemoryIsNoCrash) {
  HandlerOptions options;
  options.limits.memory_bytes = 160 << 10;
  int completed = 0;
  int refused = 0;
  for (int filler = 20; filler < 420; ++filler) {
    HistoryDriver driver(
        "local skald = require 'skald'\nreturn function(n)\n"
        "  skald.on_signal('s', function() end)\n  skald.on_query('q', function(a) return a end)\n"
        "  local child = skald.child('c', { id = 'c' }):start()\n  local kept = {}\n"
        "  for i = 1, n do kept[i] = ('x'):rep(400) .. i end\n  child:started()\n  return #kept\nend",
        options);
    driver.start({std::to_string(filler)});
    driver.run_task();
    driver.query("q", {"\"some text\""});
    driver.signal("s", {"\"more text\""});
    driver.run();
    (driver.task_failure_text().empty() ? completed : refused) += 1;
  }
  EXPECT_GT(completed, 10);
  EXPECT_GT(refused, 10);
}

TEST(Sandbox, AScriptCannotCatchTheEndOfItsMemoryOrTime) {
  EXPECT_THAT(run("local t = {}\nwhile true do pcall(function() while true do t[#t + 1] = #t .. 'x' end end) end",
                  small_limits())
                  .error,
              HasSubstr("used up its memory"));
  EXPECT_THAT(run("while true do pcall(function() while true do end end) end", small_limits()).error,
              HasSubstr("computed for too long"));
  EXPECT_THAT(
      run("while true do xpcall(function() while true do end end, function(e) return e end) end", small_limits()).error,
      HasSubstr("computed for too long"));
  EXPECT_THAT(run("skald.scope(function() while true do pcall(error) end end)", small_limits()).error,
              HasSubstr("computed for too long"));
  EXPECT_THAT(run("table.sort({ 1, 2, 3 }, function() while true do end end)", small_limits()).error,
              HasSubstr("computed for too long"));
  EXPECT_THAT(run("('x'):gsub('x', function() while true do pcall(error) end end)", small_limits()).error,
              HasSubstr("computed for too long"));
  EXPECT_THAT(
      run("local t = setmetatable({}, { __index = function() while true do end end })\nreturn t.x", small_limits())
          .error,
      HasSubstr("computed for too long"));
}

TEST(Sandbox, NoCornerEscapesTheLimits) {
  for (const char* endless : {
           "local x <close> = setmetatable({}, { __close = function() while true do end end })",
           "xpcall(error, function() while true do end end)",
           "return setmetatable({}, { __tostring = function() while true do end end }) .. ''",
           "print(setmetatable({}, { __tostring = function() while true do end end }))",
           "return load(function() while true do end end)",
           "for _ in setmetatable({}, { __call = function() return 1 end }) do end",
           "skald.async(function() while true do pcall(error) end end); skald.sleep(1)",
           "skald.side_effect(function() while true do end end)",
           "skald.wait_until(function() while true do end end)",
           "::again:: goto again",
       }) {
    EXPECT_THAT(run(endless, small_limits()).error,
                ::testing::AnyOf(HasSubstr("computed for too long"), HasSubstr("attempt to concatenate")))
        << endless;
  }
}

TEST(Sandbox, WhatAScriptAsksTheHostToKeepIsLimited) {
  EXPECT_THAT(
      value("local a = skald.activity('a', { start_to_close = 1 }); while true do a = a:with { heartbeat = 1 } end"),
      HasSubstr("too many activities described"));
  EXPECT_THAT(
      value("local a = skald.activities('a', { start_to_close = 1 }); for i = 1, 1e9 do local b = a['x' .. i] end"),
      HasSubstr("too many activities described"));
  EXPECT_THAT(value("for i = 1, 1e9 do skald.signal('s' .. i) end"), HasSubstr("too many signals"));
  EXPECT_THAT(value("for i = 1, 1e9 do skald.on_query('s' .. i, print) end"), HasSubstr("too many queries"));
  EXPECT_THAT(value("for i = 1, 1e9 do skald.child('s' .. i) end"), HasSubstr("too many child workflows"));
  EXPECT_THAT(value("for i = 1, 1e9 do skald.timer(1) end"), HasSubstr("too many operations"));
  EXPECT_THAT(value("for i = 1, 1e9 do skald.set_memo { a = i } end"), HasSubstr("too many commands"));
  EXPECT_THAT(value("local big = ('x'):rep(1000000); for i = 1, 1e9 do skald.set_memo { a = big } end"),
              HasSubstr("larger than 16 MiB together"));
  EXPECT_THAT(value("local big = ('x'):rep(1500000); skald.signal_external('a', 'b', big, big, big)"),
              HasSubstr("larger than 4 MiB together"));
  EXPECT_THAT(value("while true do skald.async(function() skald.sleep(1) end) end"), HasSubstr("too many"));
  EXPECT_THAT(value("local n = 0; local function deeper() n = n + 1; skald.scope(deeper) end; deeper()"),
              HasSubstr("overflow"));
}

TEST(Sandbox, AnEndlessLoopFailsTheTaskAtItsLine) {
  EXPECT_THAT(run("local n = 0\nwhile true do\n  n = n + 1\nend", small_limits()).error,
              MatchesRegex("order.lua:[45]: the workflow computed for too long without waiting"));
}

TEST(Sandbox, AFailureIsMadeOfTextOrATable) {
  for (const char* what : {"nil", "5", "print", "skald.null", "skald.timer(1)"})
    EXPECT_THAT(value(std::string("skald.fail(") + what + ")"), HasSubstr("text or table expected")) << what;
}

TEST(Sandbox, EndlessRecursionIsAnError) {
  EXPECT_THAT(run("local function f() return 1 + f() end\nreturn f()").error, HasSubstr("stack overflow"));
  EXPECT_THAT(
      run("local t = setmetatable({}, {})\ngetmetatable(t).__index = function(_, k) return t[k .. 'x'] end\nreturn t.a")
          .error,
      HasSubstr("overflow"));
}

TEST(Sandbox, GarbageIsCollected) {
  EXPECT_EQ(
      run("local s\nfor i = 1, 20000 do s = { ('x'):rep(100 + i % 10) } end\nreturn #s[1]", small_limits()).result,
      "100");
}

TEST(Sandbox, RandomNumbersFollowFromTheRun) {
  const std::string body = "return { math.random(1000000), skald.random(1000000), skald.uuid() }";
  EXPECT_EQ(value(body), value(body));
  EXPECT_EQ(value("local low, high = 10, 0; for i = 1, 1000 do local r = math.random(3, 7); low = math.min(low, r); "
                  "high = math.max(high, r) end; return { low, high }"),
            "[3,7]");
  EXPECT_THAT(value("return math.random(2, 1)"), HasSubstr("interval is empty"));
}

TEST(Sandbox, LibrariesDoWhatTheyShould) {
  EXPECT_EQ(value("return { math.floor(2.7), math.type(1), math.pi > 3, #utf8.char(8364), utf8.len('€'), select('#', "
                  "1, 2), ('x'):upper() }"),
            R"([2,"integer",true,3,1,2,"X"])");
  EXPECT_EQ(value("local t = { 1, 2, 3 }; table.insert(t, 2, 9); table.remove(t, 1); return { "
                  "table.unpack(table.move(t, 1, 3, 1)) }"),
            "[9,2,3]");
  EXPECT_EQ(value("local ok, err = pcall(error, 'x'); local ok2, err2 = xpcall(error, function(e) return e .. '!' end, "
                  "'y'); return { ok, err, ok2, err2 }"),
            R"([false,"x",false,"y!"])");
  EXPECT_EQ(value("return { pcall(function(...) return ... end, 1, 2) }"), "[true,1,2]");
}

}  // namespace
}  // namespace skald::lua::testing
