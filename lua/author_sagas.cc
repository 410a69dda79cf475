// What the module "skald.saga" is given of its run.
#include <absl/strings/str_cat.h>

#include "lua/author_support.h"
#include "lua/failures.h"

namespace skald::lua {
namespace {

// Stack: handler, result or error. The context holds the outer scope and the inner one.
int attempted(lua_State* L, int status, lua_KContext context) {
  const auto scopes = static_cast<uint64_t>(context);
  Scheduler::current(L)->scope = static_cast<uint32_t>(scopes >> 32);
  const bool good = status == LUA_OK || status == LUA_YIELD;
  if (!good) rethrow_if_doomed(L, status);
  lua_pushboolean(L, good);
  lua_insert(L, -2);
  lua_pushinteger(L, Script::of(L).scheduler().operations(static_cast<uint32_t>(scopes)));
  return 3;
}

// attempt(scope, fn): calls fn within the scope, in a scope of its own. Returns whether it went well, its result or error, and
// how many activities, children and messages it began.
int attempt(lua_State* L) {
  require_active(L, "a saga's step");
  const uint32_t saga = scope_of(L, 1);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  lua_settop(L, 2);
  Scheduler& scheduler = Script::of(L).scheduler();
  if (scheduler.full()) raise(L, "too many steps in one run; go on with skald.continue_as_new");
  const uint32_t outer = Scheduler::current(L)->scope;
  uint32_t inner = 0;
  guarded(L, [&](std::string&) {
    // A signal handler is not in the saga's scope; its steps are.
    inner = scheduler.new_scope(scheduler.within(outer, saga) ? outer : saga, false);
    return 0;
  });
  lua_pushcfunction(L, &Sandbox::keep_traceback);
  lua_replace(L, 1);
  const auto context = static_cast<lua_KContext>(static_cast<uint64_t>(outer) << 32 | inner);
  Scheduler::current(L)->scope = inner;
  return attempted(L, lua_pcallk(L, 0, 1, 1, context, attempted), context);
}

int open(lua_State* L) {
  require_waitable(L, "saga.run");
  Script::of(L).open_saga();
  return 0;
}

int close(lua_State* L) {
  Script::of(L).close_saga();
  return 0;
}

// within(scope, outer)
int within(lua_State* L) {
  lua_pushboolean(L, Script::of(L).scheduler().within(scope_of(L, 1), scope_of(L, 2)));
  return 1;
}

// Throws the error of a branch in the scope that failed and that nobody asked.
int throw_unasked(lua_State* L) {
  const uint32_t scope = scope_of(L, 1);
  return guarded(L, [&](std::string&) {
    const auto failure = Script::of(L).take_unasked(scope);
    if (!failure) return 0;
    push_failure(L, *failure);
    return kThrow;
  });
}

int throw_cancelled_for(lua_State* L) {
  luaL_checkstring(L, 1);
  return guarded(L, [&](std::string&) {
    push_failure(L, cancelled_failure(lua_tostring(L, 1)));
    return kThrow;
  });
}

// A bug: the workflow task fails, whatever stands around it.
int fail_task(lua_State* L) {
  lua_settop(L, 1);
  guarded(L, [&](std::string&) {
    Sandbox::of(L).set_bug(error_message(L));
    return 0;
  });
  rethrow_if_doomed(L, LUA_OK);
  return 0;
}

// check(options, what, {names…}): raises an error for a name that is not among them. Numbered fields are allowed.
int check(lua_State* L) {
  lua_settop(L, 3);
  return guarded(L, [&](std::string& error) {
    Options options(L, 1, lua_tostring(L, 2), error);
    for (lua_Integer i = 1; lua_rawgeti(L, 3, i) == LUA_TSTRING; ++i) {
      options.has(lua_tostring(L, -1));
      lua_settop(L, 3);
    }
    options.done(/*positional=*/true);
    return 0;
  });
}

// Writes a warning once for the definition.
int warn_once(lua_State* L) {
  luaL_checkstring(L, 1);
  return guarded(L, [&](std::string&) {
    Script& script = Script::of(L);
    const std::string text = lua_tostring(L, 1);
    if (!script.replaying() && script.definition().warnings->first(text))
      script.log().write(LogSink::Level::kWarn, script.identity(), script.definition().name, to_utf8(text));
    return 0;
  });
}

}  // namespace

void push_saga_host(lua_State* L) {
  static constexpr luaL_Reg kFunctions[] = {{"attempt", attempt},
                                            {"open", open},
                                            {"close", close},
                                            {"within", within},
                                            {"throw_unasked", throw_unasked},
                                            {"throw_cancelled", throw_cancelled_for},
                                            {"fail_task", fail_task},
                                            {"check", check},
                                            {"warn_once", warn_once},
                                            {nullptr, nullptr}};
  lua_createtable(L, 0, 10);
  luaL_setfuncs(L, kFunctions, 0);
  lua_pushinteger(L, Script::of(L).library_version());
  lua_setfield(L, -2, "version");
}

}  // namespace skald::lua
