#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include <absl/time/time.h>
#include <lua.hpp>

#include "lua/arena.h"
#include "lua/random_stream.h"
#include "lua/script_stack.h"

namespace skald::lua {

struct SandboxLimits {
  size_t memory_bytes = 64 << 20;
  // Work is counted in Lua instructions; what the host's functions do for the script is charged in the same unit.
  uint64_t slice = 200'000;                       // after this much a run leaves the fast lane
  uint64_t budget = 500'000'000;                  // for one workflow task
  absl::Duration budget_time = absl::Seconds(5);  // of CPU, for one workflow task: for what the count does not see
  // A run that holds more computes in the slow lane alone: a single step, as growing a table, may go through all of it.
  size_t fast_bytes = 1 << 20;
};

// Where a script computes: in an owner's loop, which must not wait for it, or where others wait their turn only.
enum class Lane { kFast, kSlow };

// Why a coroutine yielded without asking to.
enum class Pause { kNone, kSlice, kDoomed };

// A Lua state that a stranger's script may run in: no way out to the system, nothing that differs between two runs of
// the same script, memory and work bounded. One thread at a time.
class Sandbox {
 public:
  Sandbox(const SandboxLimits& limits, uint64_t random_seed);
  Sandbox(const Sandbox&) = delete;
  Sandbox& operator=(const Sandbox&) = delete;

  static Sandbox& of(lua_State* L) {
    void* arena = nullptr;
    lua_getallocf(L, &arena);
    return *static_cast<Sandbox*>(static_cast<Arena*>(arena)->owner());
  }

  lua_State* state() { return state_; }
  Arena& arena() { return arena_; }
  const Arena& arena() const { return arena_; }
  RandomStream& random() { return random_; }

  // The budget begins anew; work that was charged before is forgotten.
  void begin_budget();
  // The script is interrupted when `instructions` more are spent, 0 = never; in the fast lane also when it takes time
  // or memory that an owner's loop has not.
  void begin_slice(uint64_t instructions, Lane lane = Lane::kSlow);
  void end_slice() { note_chance(spent()); }
  // Whether the script should be interrupted now: for the host's own steps between those of the script.
  bool slice_over();
  bool fast() const { return fast_; }

  // Work of the host for the script, in passing: at the next chance it counts.
  void charge(uint64_t instructions) { charged_ += instructions; }
  // Work that the host is about to do for the script. If the slice has no room for it, the script is interrupted first;
  // if the budget has none, an error is raised that no pcall catches. So each loop in C tells its steps, and each call
  // its size. Objects of C++ may not be alive here.
  void work(lua_State* L, uint64_t instructions) {
    charged_ += instructions;
    if (charged_ >= next_look_) look(L);
  }
  // The same where no error can be raised: false if the script must not go on.
  bool may_work(lua_State* L, uint64_t instructions) {
    charged_ += instructions;
    return charged_ < next_look_ || look_without_error(L);
  }
  // The most that was spent in a slice of the fast lane between two chances to interrupt it.
  uint64_t longest_stretch() const { return longest_stretch_; }

  // The stack on which the script runs, so that it can be interrupted in the middle of a C function; or null.
  void run_on(ScriptStack* stack) { stack_ = stack; }
  // Before a coroutine is resumed that was not interrupted.
  void prepare(lua_State* L);
  // The script will not be needed: nothing of it goes on, but what unwinds it.
  void abandon();

  // Set when lua_resume returned LUA_YIELD and the script had not asked for it. Clears it.
  Pause take_pause();
  // A doomed script used up a limit: it must not go on, and no pcall of its own may stop that.
  bool doomed() const { return !doom_.empty(); }
  const std::string& doom() const { return doom_; }
  void set_doom(lua_State* L, const char* reason);
  // The same for a script's bug that must not be hidden; the message names its place.
  void set_bug(std::string message) {
    if (doom_.empty()) doom_ = std::move(message);
  }
  // After LUA_ERRMEM.
  void set_out_of_memory(lua_State* L);
  // Whether so much memory is left; what nobody holds any more is collected first.
  bool has_room(size_t bytes);

  // Remembers where the script failed, before the stack is unwound by a pcall on the way. A message handler: the error
  // is its argument.
  static int keep_traceback(lua_State* L);
  // The traceback kept for this message, or else the one of `L` as it is.
  std::string traceback_of(lua_State* L, const std::string& message) const;

  // The script's place for messages: "file:line", or "" where no Lua code is running.
  static std::string place(lua_State* L);

 private:
  static void on_count(lua_State* L, lua_Debug* frame);
  static bool on_growth(Arena& arena);
  uint64_t spent() const;
  bool fast_time_over();
  int hook_every() const;
  void read_clock();
  void note_chance(uint64_t spent);
  bool over_budget();
  void look(lua_State* L);
  bool look_without_error(lua_State* L);
  void pause_in_place();
  void stop(lua_State* L);

  SandboxLimits limits_;
  Arena arena_;
  RandomStream random_;
  lua_State* state_;
  uint64_t counted_ = 0;
  uint64_t charged_ = 0;
  uint64_t allocated_at_start_ = 0;
  uint64_t slice_end_ = 0;
  int64_t tick_ns_ = 0;        // of the coarse clock, when CPU time was last read
  int64_t cpu_start_ns_ = 0;   // of the slice; 0 = not read yet
  int64_t cpu_slice_ns_ = 0;   // spent in this slice
  int64_t cpu_before_ns_ = 0;  // spent in earlier slices of the budget
  uint64_t next_look_ = 0;     // of charged_
  uint64_t last_chance_ = 0;
  uint64_t longest_stretch_ = 0;
  bool fast_ = false;
  int64_t fast_until_ns_ = 0;
  int64_t fast_cpu_ns_ = 0;  // when the time was over first; 0 = it was not
  ScriptStack* stack_ = nullptr;
  lua_State* running_ = nullptr;
  Pause pause_ = Pause::kNone;
  bool collecting_ = false;
  std::string doom_;
  std::string failed_message_;
  std::string failed_traceback_;
};

// The libraries, one file each. All but the base library are opened when a script first asks for them.
void open_base_library(lua_State* L);
int open_string_library(lua_State* L);
int open_table_library(lua_State* L);
int open_math_library(lua_State* L);
int open_utf8_library(lua_State* L);

// A function of Lua's own libraries, which a library of ours offers unchanged or wraps.
lua_CFunction stock_function(const char* library, const char* name);
std::vector<luaL_Reg> stock_functions(const char* library, std::initializer_list<const char*> names);

// How many bytes of a text of this size lie between the positions at `from` and after it, as Lua counts them.
uint64_t bytes_in_range(lua_State* L, size_t size, int from);
// A value as text, without addresses; pushes it.
void push_text(lua_State* L, int index);
// For continuations of protected calls: throws again if the script is doomed. The error is on top.
void rethrow_if_doomed(lua_State* L, int status);
// luaL_checkstack and friends add positions and raise; this raises with the position of the calling Lua code.
[[noreturn]] void raise(lua_State* L, const char* format, ...) __attribute__((format(printf, 2, 3)));

}  // namespace skald::lua
