#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <lua.hpp>

#include "lua/sandbox.h"

namespace skald::lua {

class Script;

// What a value will be. Lives in Lua's memory, as a userdata with the value as its user value.
struct Future {
  enum class State : uint8_t { kPending, kValue, kError };
  State state = State::kPending;
  uint32_t scope = 0;      // where it was started
  uint32_t operation = 0;  // what it stands for: an operation,
  uint32_t branch = 0;     // or a branch's scope, or neither
  uint64_t settled = 0;    // place in the order in which futures settled
  bool asked = false;      // somebody waited for it, or looked at it
  uint32_t unasked = 0;    // of a branch that failed unasked: its number in the run's list
  int32_t waiters = -1;    // first of a list in the scheduler
};

struct Coroutine {
  enum class Role : uint8_t { kMain, kBranch, kHandler, kQuery };
  Script* script = nullptr;
  lua_State* L = nullptr;
  int anchor = LUA_NOREF;  // keeps the thread alive
  uint32_t id = 0;
  uint32_t scope = 0;
  Role role = Role::kMain;
  bool started = false;
  bool interrupted = false;  // its slice was over in the middle of Lua code
  bool ready = false;
  bool polls = false;        // waits for a predicate
  int status = LUA_YIELD;    // of its last resumption
  int future = LUA_NOREF;    // settled by the coroutine's end
};

// Runs the coroutines of one run in a fixed order, and knows what they wait for. Waiting code checks its condition
// again whenever it is woken, so waking once too often does no harm.
class Scheduler {
 public:
  static constexpr uint32_t kRootScope = 0;
  enum class Progress { kIdle, kSliceOver, kStopped };

  Scheduler(Sandbox& sandbox, Script& script);
  // Ends what was interrupted in the middle of a C function; nothing else will run.
  void abandon();

  static Coroutine* current(lua_State* L) { return *static_cast<Coroutine**>(lua_getextraspace(L)); }

  // Makes a coroutine of the function and its `arguments` on top of `from`, which are popped. It runs at the next step.
  Coroutine& spawn(lua_State* from, int arguments, Coroutine::Role role, uint32_t scope);
  // The same, but it is not queued: the caller resumes it with run_alone.
  Coroutine& prepare(lua_State* from, int arguments, Coroutine::Role role, uint32_t scope);
  void drop(Coroutine& coroutine);

  // Runs all that is ready, until everything waits. Script::after_resume hears of every end; after it returned false nothing
  // more runs.
  Progress step();
  // Resumes one coroutine. Returns lua_resume's status; `pause` tells a yield it had not asked for: after kSlice the same
  // call goes on.
  int run_alone(Coroutine& coroutine, Pause& pause);

  void wake(Coroutine& coroutine);
  void wake_id(uint32_t id);
  void wake_scope(const std::set<uint32_t>& scopes);
  // Something happened that predicates may look at.
  void note_change() { changed_ = true; }

  // Pushes a new future.
  static Future* push_future(lua_State* L, uint32_t scope);
  static Future* to_future(lua_State* L, int index);
  // Settles the future at `index` with the value on top, which is popped.
  void settle(lua_State* L, int index, bool good);
  // The same for a future kept in the registry; the reference is freed.
  void settle_kept(lua_State* L, int reference, bool good);
  // The coroutine is woken when the future settles.
  void wait_for(Coroutine& coroutine, Future& future);

  // No more scopes or branches: the run has had so many that it should go on as a new one.
  static constexpr size_t kMostScopes = 100'000;
  static constexpr size_t kMostCoroutines = 10'000;
  bool full() const { return scopes_.size() >= kMostScopes || coroutines_.size() >= kMostCoroutines; }

  uint32_t new_scope(uint32_t parent, bool shielded);
  bool cancelled(uint32_t scope) const;
  std::string reason(uint32_t scope) const;
  // Marks it, and returns the scopes that are cancelled now and were not before.
  std::set<uint32_t> cancel(uint32_t scope, const std::string& reason);
  // Whether `scope` is `outer` or lies in it, shielded or not.
  bool within(uint32_t scope, uint32_t outer) const;
  // Counts what is begun in a scope: in it and in all around it.
  void count_operation(uint32_t scope);
  uint32_t operations(uint32_t scope) const { return scopes_[scope].operations; }

  // Where every coroutine stands.
  std::string stack_traces();

 private:
  struct Waiter {
    uint32_t coroutine;
    int32_t next;
  };
  struct Scope {
    uint32_t parent = 0;
    bool shielded = false;
    bool cancelled = false;
    uint32_t operations = 0;
    std::string reason;
  };

  static void resume(void* coroutine);
  bool run_on_stack(Coroutine& coroutine);

  Sandbox& sandbox_;
  Script& script_;
  std::unique_ptr<ScriptStack> stack_;  // of the coroutine that was interrupted in the middle of a C function
  std::map<uint32_t, std::unique_ptr<Coroutine>> coroutines_;
  uint32_t next_coroutine_ = 1;
  std::deque<uint32_t> ready_;
  uint32_t interrupted_ = 0;  // its slice was over in the middle of its code; 0 = none
  bool changed_ = false;
  std::vector<Waiter> waiters_;
  std::vector<int32_t> free_waiters_;
  uint64_t next_settled_ = 1;
  std::vector<Scope> scopes_;
};

}  // namespace skald::lua
