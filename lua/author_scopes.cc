// skald.scope, shielded, cancelled.
#include "lua/author_support.h"

namespace skald::lua {
namespace {

constexpr char kScopeMark = 0;

struct ScopeHandle {
  uint32_t scope;
};

ScopeHandle& check_scope(lua_State* L) {
  auto* handle = static_cast<ScopeHandle*>(to_object(L, 1, &kScopeMark));
  if (handle == nullptr) raise(L, "a scope's functions are called with a colon: scope:cancel()");
  return *handle;
}

// Pushes whether it is cancelled, and why.
int push_cancelled(lua_State* L, uint32_t scope) {
  return guarded(L, [&](std::string&) {
    Scheduler& scheduler = Script::of(L).scheduler();
    const bool cancelled = scheduler.cancelled(scope);
    lua_pushboolean(L, cancelled);
    if (!cancelled) return 1;
    const std::string reason = scheduler.reason(scope);
    lua_pushlstring(L, reason.data(), reason.size());
    return 2;
  });
}

int cancelled(lua_State* L) { return push_cancelled(L, check_scope(L).scope); }
int current_cancelled(lua_State* L) { return push_cancelled(L, Scheduler::current(L)->scope); }

int scope_cancel(lua_State* L) {
  const uint32_t scope = check_scope(L).scope;
  require_active(L, "cancel");
  make_reason(L, 2);
  return guarded(L, [&](std::string&) {
    Script::of(L).cancel_scope(scope, lua_tostring(L, 2));
    return 0;
  });
}

// The context holds the outer scope and the inner one.
constexpr lua_KContext both(uint32_t outer, uint32_t inner) {
  return static_cast<lua_KContext>(static_cast<uint64_t>(outer) << 32 | inner);
}

int leave(lua_State* L, int status, lua_KContext context) {
  const auto scopes = static_cast<uint64_t>(context);
  Scheduler::current(L)->scope = static_cast<uint32_t>(scopes >> 32);
  if (status == LUA_OK || status == LUA_YIELD) return lua_gettop(L) - 1;
  rethrow_if_doomed(L, status);
  guarded(L, [&](std::string&) {
    // What still runs in a scope whose function failed is of no use. A script's bug is not the workflow's end: nothing
    // is cancelled.
    if (lua_type(L, -1) == LUA_TTABLE)
      Script::of(L).cancel_scope(static_cast<uint32_t>(scopes), "the scope's function threw an error");
    return 0;
  });
  return lua_error(L);
}

int enter(lua_State* L, bool shielded) {
  require_active(L, "scope");
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_settop(L, 1);
  Script& script = Script::of(L);
  if (script.scheduler().full()) raise(L, "too many scopes in one run; go on with skald.continue_as_new");
  uint32_t inner = 0;
  guarded(L, [&](std::string&) {
    static constexpr luaL_Reg kMethods[] = {{"cancel", scope_cancel}, {"cancelled", cancelled}, {nullptr, nullptr}};
    inner = script.scheduler().new_scope(Scheduler::current(L)->scope, shielded);
    lua_pushcfunction(L, &Sandbox::keep_traceback);
    lua_insert(L, 1);
    auto* handle = static_cast<ScopeHandle*>(lua_newuserdatauv(L, sizeof(ScopeHandle), 0));
    handle->scope = inner;
    push_metatable(L, &kScopeMark, "scope", kMethods);
    lua_setmetatable(L, -2);
    return 0;
  });
  const lua_KContext context = both(Scheduler::current(L)->scope, inner);
  Scheduler::current(L)->scope = inner;
  const int status = lua_pcallk(L, 1, LUA_MULTRET, 1, context, leave);
  return leave(L, status, context);
}

int scope(lua_State* L) { return enter(L, false); }
int shielded(lua_State* L) { return enter(L, true); }

}  // namespace

uint32_t scope_of(lua_State* L, int index) {
  auto* handle = static_cast<ScopeHandle*>(to_object(L, index, &kScopeMark));
  if (handle == nullptr) raise(L, "a scope is expected");
  return handle->scope;
}

void add_scopes(lua_State* L) {
  static constexpr luaL_Reg kFunctions[] = {
      {"scope", scope}, {"shielded", shielded}, {"cancelled", current_cancelled}, {nullptr, nullptr}};
  luaL_setfuncs(L, kFunctions, 0);
}

}  // namespace skald::lua
