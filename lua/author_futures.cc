// Futures, branches, and waiting for several.
#include <absl/strings/str_cat.h>

#include "lua/author_support.h"
#include "lua/failures.h"

namespace skald::lua {
namespace {

enum class Wait : lua_KContext { kAll, kRace, kAny, kSettle };

Future& check_future(lua_State* L) {
  Future* future = Scheduler::to_future(L, 1);
  if (future == nullptr) raise(L, "a future is expected; call its functions with a colon, as in future:get()");
  return *future;
}

int get(lua_State* L) {
  Script::of(L).ask(check_future(L));
  lua_settop(L, 1);
  return await(L, LUA_OK, 0);
}

int tried(lua_State* L, int, lua_KContext) {
  Future& future = *Scheduler::to_future(L, 1);
  if (future.state == Future::State::kPending) {
    lua_settop(L, 1);
    Coroutine& coroutine = *Scheduler::current(L);
    require_waitable(L, "try");
    Script& script = Script::of(L);
    if (must_interrupt(script, coroutine, future)) throw_cancelled(L);
    script.scheduler().wait_for(coroutine, future);
    return lua_yieldk(L, 0, 0, tried);
  }
  lua_pushboolean(L, future.state == Future::State::kValue);
  lua_getiuservalue(L, 1, 1);
  return 2;
}

int try_get(lua_State* L) {
  Script::of(L).ask(check_future(L));
  return tried(L, LUA_OK, 0);
}

int ready(lua_State* L) {
  Future& future = check_future(L);
  Script::of(L).ask(future);
  lua_pushboolean(L, future.state != Future::State::kPending);
  return 1;
}

int future_cancel(lua_State* L) {
  require_active(L, "cancel");
  Future& future = check_future(L);
  make_reason(L, 2);
  if (future.state != Future::State::kPending) return 0;
  return guarded(L, [&](std::string&) {
    Script& script = Script::of(L);
    if (future.operation != 0) script.cancel_operation(future.operation, shortened(lua_tostring(L, 2), kLongestReason));
    if (future.branch != 0) script.cancel_scope(future.branch, lua_tostring(L, 2));
    return 0;
  });
}

// handle:started(), handle:signal(name, arguments…): of a child workflow only.
int started(lua_State* L) { return child_started(L); }
int future_signal(lua_State* L) { return child_signal(L); }

// skald.async(fn, arguments…): a branch with a scope of its own, so that it can be cancelled alone.
int async(lua_State* L) {
  require_active(L, "async");
  luaL_checktype(L, 1, LUA_TFUNCTION);
  throw_if_cancelled(L);
  Script& script = Script::of(L);
  if (script.scheduler().full()) raise(L, "too many branches in one run; go on with skald.continue_as_new");
  return guarded(L, [&](std::string&) {
    const int arguments = lua_gettop(L) - 1;
    Future* future = Scheduler::push_future(L, Scheduler::current(L)->scope);
    future->branch = script.scheduler().new_scope(Scheduler::current(L)->scope, false);
    lua_insert(L, 1);
    Coroutine& branch = script.scheduler().spawn(L, arguments, Coroutine::Role::kBranch, future->branch);
    lua_pushvalue(L, 1);
    branch.future = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_settop(L, 1);
    return 1;
  });
}

struct Survey {
  int pending = 0;
  bool interrupted = false;
  const Future* first_value = nullptr;
  const Future* first_error = nullptr;
  const Future* last_error = nullptr;
};

// Looks at all futures of the table at 1.
Survey survey(lua_State* L) {
  Survey result;
  for (lua_pushnil(L); lua_next(L, 1) != 0; lua_pop(L, 1)) {
    const Future& future = *Scheduler::to_future(L, -1);
    if (future.state == Future::State::kPending) {
      ++result.pending;
    } else if (future.state == Future::State::kValue) {
      if (result.first_value == nullptr || future.settled < result.first_value->settled) result.first_value = &future;
    } else {
      if (result.first_error == nullptr || future.settled < result.first_error->settled) result.first_error = &future;
      if (result.last_error == nullptr || future.settled > result.last_error->settled) result.last_error = &future;
    }
  }
  return result;
}

// Numbers before the rest, each kind ascending.
bool key_less(lua_State* L, int left, int right) {
  if (lua_type(L, left) != lua_type(L, right)) return lua_type(L, left) == LUA_TNUMBER;
  return (lua_type(L, left) == LUA_TNUMBER || lua_type(L, left) == LUA_TSTRING) &&
         lua_compare(L, left, right, LUA_OPLT) != 0;
}

// Pushes the key and the future object; the least key if it is there twice.
void push_entry(lua_State* L, const Future* wanted) {
  lua_pushnil(L);
  const int best = lua_gettop(L);
  for (lua_pushnil(L); lua_next(L, 1) != 0; lua_pop(L, 1)) {
    if (lua_touserdata(L, -1) == wanted && (lua_isnil(L, best) || key_less(L, -2, best))) lua_copy(L, -2, best);
  }
  lua_pushvalue(L, best);
  lua_rawget(L, 1);
}

[[noreturn]] void throw_error_of(lua_State* L, const Future* future) {
  push_entry(L, future);
  lua_getiuservalue(L, -1, 1);
  lua_error(L);
  __builtin_unreachable();
}

int winner(lua_State* L, const Future* future) {
  push_entry(L, future);
  lua_getiuservalue(L, -1, 1);
  lua_remove(L, -2);
  return 2;
}

int values(lua_State* L, bool outcomes) {
  lua_settop(L, 1);
  lua_newtable(L);
  for (lua_pushnil(L); lua_next(L, 1) != 0;) {
    const Future& future = *Scheduler::to_future(L, -1);
    const bool good = future.state == Future::State::kValue;
    lua_getiuservalue(L, -1, 1);
    lua_remove(L, -2);
    if (outcomes) {
      lua_createtable(L, 0, 2);
      lua_pushboolean(L, good);
      lua_setfield(L, -2, "ok");
      lua_insert(L, -2);
      lua_setfield(L, -2, good ? "value" : "error");
    }
    lua_pushvalue(L, -2);
    lua_insert(L, -2);
    lua_rawset(L, 2);
  }
  return 1;
}

int wait_for_several(lua_State* L, int, lua_KContext context) {
  lua_settop(L, 1);
  const Survey now = survey(L);
  switch (static_cast<Wait>(context)) {
    case Wait::kAll:
      if (now.first_error != nullptr) throw_error_of(L, now.first_error);
      if (now.pending == 0) return values(L, false);
      break;
    case Wait::kRace: {
      const Future* first = now.first_value;
      if (now.first_error != nullptr && (first == nullptr || now.first_error->settled < first->settled))
        throw_error_of(L, now.first_error);
      if (first != nullptr) return winner(L, first);
      break;
    }
    case Wait::kAny:
      if (now.first_value != nullptr) return winner(L, now.first_value);
      if (now.pending == 0) throw_error_of(L, now.last_error);
      break;
    case Wait::kSettle:
      if (now.pending == 0) return values(L, true);
      break;
  }
  require_waitable(L, "waiting for futures");
  Script& script = Script::of(L);
  Coroutine& coroutine = *Scheduler::current(L);
  const bool cancelled = script.scheduler().cancelled(coroutine.scope);
  for (lua_pushnil(L); lua_next(L, 1) != 0; lua_pop(L, 1)) {
    Future& future = *Scheduler::to_future(L, -1);
    if (future.state != Future::State::kPending) continue;
    const bool settles = (future.operation != 0 && script.scheduler().cancelled(future.scope)) ||
                         (future.branch != 0 && script.scheduler().cancelled(future.branch));
    if (cancelled && !settles) throw_cancelled(L);
    script.scheduler().wait_for(coroutine, future);
  }
  return lua_yieldk(L, 0, context, wait_for_several);
}

int wait(lua_State* L, Wait kind, bool empty_allowed) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  // Other branches may change the script's table meanwhile: the wait has its own.
  lua_newtable(L);
  bool empty = true;
  for (lua_pushnil(L); lua_next(L, 1) != 0;) {
    empty = false;
    Future* future = Scheduler::to_future(L, -1);
    if (future == nullptr) raise(L, "a table of futures is expected, but it holds a %s", luaL_typename(L, -1));
    Script::of(L).ask(*future);
    lua_pushvalue(L, -2);
    lua_insert(L, -2);
    lua_rawset(L, 2);
  }
  lua_replace(L, 1);
  if (empty && !empty_allowed) raise(L, "there is nothing to wait for: the table of futures is empty");
  return wait_for_several(L, LUA_OK, static_cast<lua_KContext>(kind));
}

int all(lua_State* L) { return wait(L, Wait::kAll, true); }
int race(lua_State* L) { return wait(L, Wait::kRace, false); }
int any(lua_State* L) { return wait(L, Wait::kAny, false); }
int settle(lua_State* L) { return wait(L, Wait::kSettle, true); }

}  // namespace

void push_future_metatable(lua_State* L) {
  static constexpr char kMark = 0;
  static constexpr luaL_Reg kMethods[] = {
      {"get", get},         {"try", try_get},          {"ready", ready},  {"cancel", future_cancel},
      {"started", started}, {"signal", future_signal}, {nullptr, nullptr}};
  push_metatable(L, &kMark, "future", kMethods);
}

void add_futures(lua_State* L) {
  static constexpr luaL_Reg kFunctions[] = {{"async", async}, {"all", all},       {"race", race},
                                            {"any", any},     {"settle", settle}, {nullptr, nullptr}};
  luaL_setfuncs(L, kFunctions, 0);
}

}  // namespace skald::lua
