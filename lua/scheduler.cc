#include "lua/scheduler.h"

#include <new>
#include <utility>

#include <absl/strings/str_cat.h>

#include "lua/script.h"

namespace skald::lua {
namespace {

constexpr char kFutureMark = 0;
constexpr size_t kMostTraces = 100;
constexpr uint64_t kResumption = 50;  // instructions

}  // namespace

Scheduler::Scheduler(Sandbox& sandbox, Script& script) : sandbox_(sandbox), script_(script), scopes_(1) {}

Coroutine& Scheduler::prepare(lua_State* from, int arguments, Coroutine::Role role, uint32_t scope) {
  const Arena::HostWork host(sandbox_.arena());
  auto coroutine = std::make_unique<Coroutine>();
  coroutine->script = &script_;
  coroutine->role = role;
  coroutine->scope = scope;
  coroutine->id = next_coroutine_++;
  coroutine->L = lua_newthread(from);
  coroutine->anchor = luaL_ref(from, LUA_REGISTRYINDEX);
  *static_cast<Coroutine**>(lua_getextraspace(coroutine->L)) = coroutine.get();
  lua_checkstack(coroutine->L, arguments + 8);
  lua_xmove(from, coroutine->L, arguments + 1);
  Coroutine& result = *coroutine;
  coroutines_.emplace(result.id, std::move(coroutine));
  return result;
}

Coroutine& Scheduler::spawn(lua_State* from, int arguments, Coroutine::Role role, uint32_t scope) {
  Coroutine& coroutine = prepare(from, arguments, role, scope);
  wake(coroutine);
  return coroutine;
}

void Scheduler::drop(Coroutine& coroutine) {
  lua_State* L = sandbox_.state();
  luaL_unref(L, LUA_REGISTRYINDEX, coroutine.anchor);
  coroutines_.erase(coroutine.id);
}

void Scheduler::abandon() {
  if (stack_ == nullptr) return;
  sandbox_.abandon();
  while (!stack_->go_on()) {
  }
  ScriptStack::give_back(std::move(stack_));
}

int Scheduler::run_alone(Coroutine& coroutine, Pause& pause) {
  pause = Pause::kNone;
  if (!run_on_stack(coroutine)) {
    pause = Pause::kSlice;
    return LUA_YIELD;
  }
  if (coroutine.status == LUA_YIELD) pause = sandbox_.take_pause();
  coroutine.interrupted = pause == Pause::kSlice;
  return coroutine.status;
}

// False if it was interrupted in the middle of a C function.
bool Scheduler::run_on_stack(Coroutine& coroutine) {
  if (stack_ == nullptr) {
    if (!coroutine.interrupted) sandbox_.prepare(coroutine.L);
    stack_ = ScriptStack::take();
    sandbox_.run_on(stack_.get());
    if (!stack_->run(&Scheduler::resume, &coroutine)) return false;
  } else if (!stack_->go_on()) {
    return false;
  }
  sandbox_.run_on(nullptr);
  ScriptStack::give_back(std::move(stack_));
  return true;
}

// Runs on the script's stack.
void Scheduler::resume(void* argument) {
  Coroutine& coroutine = *static_cast<Coroutine*>(argument);
  const int arguments = coroutine.started ? 0 : lua_gettop(coroutine.L) - 1;
  coroutine.started = true;
  int results = 0;
  coroutine.status = lua_resume(coroutine.L, nullptr, arguments, &results);
  if (coroutine.status == LUA_OK) coroutine.script->encode_result(coroutine);
}

Scheduler::Progress Scheduler::step() {
  while (true) {
    if (ready_.empty() && changed_) {
      changed_ = false;
      for (const auto& [id, coroutine] : coroutines_) {
        if (coroutine->polls) wake(*coroutine);
      }
    }
    uint32_t id = std::exchange(interrupted_, 0);
    if (id == 0) {
      if (ready_.empty()) return Progress::kIdle;
      if (sandbox_.slice_over()) return Progress::kSliceOver;
      id = ready_.front();
      ready_.pop_front();
    }
    const auto found = coroutines_.find(id);
    if (found == coroutines_.end()) continue;
    Coroutine& coroutine = *found->second;
    coroutine.ready = false;
    if (!coroutine.polls) changed_ = true;
    sandbox_.charge(kResumption);
    Pause pause = Pause::kNone;
    const int status = run_alone(coroutine, pause);
    if (pause == Pause::kSlice) {
      interrupted_ = id;
      return Progress::kSliceOver;
    }
    if (!script_.after_resume(coroutine, status, pause)) return Progress::kStopped;
  }
}

void Scheduler::wake(Coroutine& coroutine) {
  if (coroutine.ready) return;
  coroutine.ready = true;
  ready_.push_back(coroutine.id);
}

void Scheduler::wake_id(uint32_t id) {
  const auto found = coroutines_.find(id);
  if (found != coroutines_.end()) wake(*found->second);
}

void Scheduler::wake_scope(const std::set<uint32_t>& scopes) {
  for (const auto& [id, coroutine] : coroutines_) {
    if (scopes.count(coroutine->scope) > 0 && coroutine->started) wake(*coroutine);
  }
}

Future* Scheduler::push_future(lua_State* L, uint32_t scope) {
  auto* future = new (lua_newuserdatauv(L, sizeof(Future), 1)) Future();
  future->scope = scope;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &kFutureMark);
  if (lua_isnil(L, -1)) {
    lua_pop(L, 1);
    push_future_metatable(L);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &kFutureMark);
  }
  lua_setmetatable(L, -2);
  return future;
}

Future* Scheduler::to_future(lua_State* L, int index) {
  if (lua_type(L, index) != LUA_TUSERDATA || lua_getmetatable(L, index) == 0) return nullptr;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &kFutureMark);
  const bool same = lua_rawequal(L, -1, -2) != 0;
  lua_pop(L, 2);
  return same ? static_cast<Future*>(lua_touserdata(L, index)) : nullptr;
}

void Scheduler::settle(lua_State* L, int index, bool good) {
  index = lua_absindex(L, index);
  Future* future = to_future(L, index);
  if (future == nullptr || future->state != Future::State::kPending) return lua_pop(L, 1);
  future->state = good ? Future::State::kValue : Future::State::kError;
  future->settled = next_settled_++;
  lua_setiuservalue(L, index, 1);
  changed_ = true;
  for (int32_t at = future->waiters; at >= 0;) {
    const Waiter waiter = waiters_[at];
    const auto found = coroutines_.find(waiter.coroutine);
    if (found != coroutines_.end()) wake(*found->second);
    free_waiters_.push_back(at);
    at = waiter.next;
  }
  future->waiters = -1;
}

void Scheduler::settle_kept(lua_State* L, int reference, bool good) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, reference);
  lua_insert(L, -2);
  settle(L, -2, good);
  lua_pop(L, 1);
  luaL_unref(L, LUA_REGISTRYINDEX, reference);
}

void Scheduler::wait_for(Coroutine& coroutine, Future& future) {
  int32_t last = -1;
  for (int32_t at = future.waiters; at >= 0; at = waiters_[at].next) {
    if (waiters_[at].coroutine == coroutine.id) return;
    last = at;
  }
  auto slot = static_cast<int32_t>(waiters_.size());
  if (free_waiters_.empty()) {
    waiters_.emplace_back();
  } else {
    slot = free_waiters_.back();
    free_waiters_.pop_back();
  }
  waiters_[slot] = {coroutine.id, -1};
  (last < 0 ? future.waiters : waiters_[last].next) = slot;
}

uint32_t Scheduler::new_scope(uint32_t parent, bool shielded) {
  scopes_.push_back({parent, shielded});
  return static_cast<uint32_t>(scopes_.size() - 1);
}

bool Scheduler::cancelled(uint32_t scope) const {
  while (true) {
    if (scopes_[scope].cancelled) return true;
    if (scope == kRootScope || scopes_[scope].shielded) return false;
    scope = scopes_[scope].parent;
  }
}

std::string Scheduler::reason(uint32_t scope) const {
  while (!scopes_[scope].cancelled && scope != kRootScope && !scopes_[scope].shielded) scope = scopes_[scope].parent;
  return scopes_[scope].reason;
}

std::set<uint32_t> Scheduler::cancel(uint32_t scope, const std::string& reason) {
  std::set<uint32_t> fresh;
  if (scopes_[scope].cancelled) return fresh;
  for (uint32_t each = scope; each < scopes_.size(); ++each) {
    if (!cancelled(each)) fresh.insert(each);
  }
  scopes_[scope].cancelled = true;
  scopes_[scope].reason = reason;
  for (auto each = fresh.begin(); each != fresh.end();) each = cancelled(*each) ? std::next(each) : fresh.erase(each);
  return fresh;
}

bool Scheduler::within(uint32_t scope, uint32_t outer) const {
  while (scope != outer && scope != kRootScope) scope = scopes_[scope].parent;
  return scope == outer;
}

void Scheduler::count_operation(uint32_t scope) {
  for (; scope != kRootScope; scope = scopes_[scope].parent) ++scopes_[scope].operations;
}

std::string Scheduler::stack_traces() {
  std::string all;
  size_t left = kMostTraces;
  for (const auto& [id, coroutine] : coroutines_) {
    if (coroutine->role == Coroutine::Role::kQuery) continue;
    if (left-- == 0) return absl::StrCat(all, "… and others of ", coroutines_.size(), " coroutines\n");
    const char* role = coroutine->role == Coroutine::Role::kMain     ? "main"
                       : coroutine->role == Coroutine::Role::kBranch ? "branch"
                                                                     : "signal handler";
    const Arena::HostWork host(sandbox_.arena());
    lua_State* L = sandbox_.state();
    luaL_traceback(L, coroutine->L, nullptr, 0);
    absl::StrAppend(&all, role, " (coroutine ", id, ")\n", lua_tostring(L, -1), "\n\n");
    lua_pop(L, 1);
  }
  return all;
}

}  // namespace skald::lua
