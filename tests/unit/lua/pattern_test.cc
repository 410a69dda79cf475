#include <memory>
#include <random>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <lua.hpp>

#include "lua/sandbox.h"

namespace skald::lua::testing {
namespace {

// What the script returns, as text; "error" if it fails.
std::string outcome(lua_State* L, const std::string& subject, const std::string& pattern) {
  static constexpr char kScript[] =
      "local s, p = ... "
      "local function all(...) local t = { ... } for i = 1, select('#', ...) do t[i] = tostring(t[i]) end return "
      "table.concat(t, ' ') end "
      "local each = {} for a, b in s:gmatch(p) do each[#each + 1] = tostring(a) .. tostring(b) if #each > 50 then "
      "break end end "
      "return all(s:find(p)) .. '|' .. all(s:match(p)) .. '|' .. all(s:find(p, -3)) .. '|' .. all(s:gsub(p, '<%0>')) "
      ".. '|' .. table.concat(each, ',')";
  lua_settop(L, 0);
  luaL_loadstring(L, kScript);
  lua_pushlstring(L, subject.data(), subject.size());
  lua_pushlstring(L, pattern.data(), pattern.size());
  if (lua_pcall(L, 2, 1, 0) != LUA_OK) return "error";
  return lua_tostring(L, -1);
}

std::string random_text(std::mt19937& random, const char* const* pieces, size_t count, size_t most) {
  std::string text;
  for (size_t i = random() % (most + 1); i > 0; --i) text += pieces[random() % count];
  return text;
}

// Patterns are matched by code of our own, because Lua's cannot be stopped. It has to find what Lua finds.
TEST(Pattern, FindsWhatLuaFinds) {
  static constexpr const char* kSubject[] = {"a", "b", "aa", "1", " ", "(", ")", "A", "-", "b1"};
  static constexpr const char* kPattern[] = {
      "a", "b", ".", "%a", "%d",   "[ab]",   "[^a]", "[a-c1]", "(",  ")",     "()",   "*",    "+",   "-",
      "?", "^", "$", "%1", "%b()", "%f[%a]", "%(",   "%s*",    "%W", "[%w-]", "(.-)", "(a*)", "[]]", "%2"};
  Sandbox sandbox(SandboxLimits{}, 1);
  lua_sethook(sandbox.state(), nullptr, 0, 0);
  const std::unique_ptr<lua_State, void (*)(lua_State*)> stock(luaL_newstate(), lua_close);
  luaL_openlibs(stock.get());
  std::mt19937 random(20260701);
  int compared = 0;
  for (int i = 0; i < 40'000; ++i) {
    const std::string subject = random_text(random, kSubject, std::size(kSubject), 8);
    const std::string pattern = random_text(random, kPattern, std::size(kPattern), 5);
    const std::string wanted = outcome(stock.get(), subject, pattern);
    const std::string found = outcome(sandbox.state(), subject, pattern);
    if (found == "error") continue;  // Lua sees a malformed pattern only when matching gets that far.
    ++compared;
    ASSERT_EQ(found, wanted) << "'" << subject << "' '" << pattern << "'";
  }
  EXPECT_GT(compared, 10'000);
}

TEST(Pattern, RefusesWhatLuaRefuses) {
  Sandbox sandbox(SandboxLimits{}, 1);
  lua_sethook(sandbox.state(), nullptr, 0, 0);
  for (const char* good : {"a", "[a-]", "[]a]", "%]", "a-", "(a)%1", "%f[%w]", "$a", "a^"})
    EXPECT_NE(outcome(sandbox.state(), "a", good), "error") << good;
  for (const char* bad : {"%", "[a", "[", "(", ")", "(a", "a)", "%1", "(a%1)", "%b", "%ba", "%f", "%fa", "[%", "[a%"}) {
    EXPECT_EQ(outcome(sandbox.state(), "a", bad), "error") << bad;
  }
}

}  // namespace
}  // namespace skald::lua::testing
