#include "lua/sandbox.h"

#include <algorithm>
#include <cstdarg>
#include <ctime>
#include <map>
#include <new>
#include <utility>

#include <absl/strings/str_cat.h>

namespace skald::lua {
namespace {

constexpr int kHookEvery = 1000;
// With more memory than this in use single instructions may be slow, as those that compare texts or grow a table: then
// an owner's loop looks more often.
constexpr size_t kLookOftenFrom = 128 << 10;
constexpr int kHookOften = 100;
constexpr uint64_t kLookEvery = 1000;  // of charged work
// A slice ends after so much time, too, whatever was counted.
constexpr int64_t kSliceCpuNs = 20'000'000;
// In an owner's loop it ends after so much time, if the thread then goes on to compute: it may have been kept waiting.
constexpr int64_t kFastSliceNs = 2'000'000;
constexpr int64_t kFastGraceNs = 1'000'000;
constexpr uint64_t kBytesPerInstruction = 32;  // what filling memory costs, compared with an instruction
constexpr int kDeepCalls = 10'000;
constexpr int kTracedCalls = 1'000;  // finding the ends of a deeper stack takes long
// Most runs end before they have made so much garbage that collecting it pays.
constexpr size_t kCollectFrom = 512 << 10;

int64_t read_ns(clockid_t clock) {
  timespec now;
  clock_gettime(clock, &now);
  return static_cast<int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

// Lua calls no message handler for this error. A script's handler would run here without a count: within a hook there
// are no hooks.
void throw_past_handlers(lua_State* L) {
  lua_pushliteral(L, "not enough memory");
  lua_error(L);
}

}  // namespace

Sandbox::Sandbox(const SandboxLimits& limits, uint64_t random_seed)
    : limits_(limits),
      arena_(limits.memory_bytes, this),
      random_(random_seed),
      state_(lua_newstate(Arena::allocate, &arena_)) {
  if (state_ == nullptr) throw std::bad_alloc();
  lua_gc(state_, LUA_GCSTOP);
  arena_.set_watch(&Sandbox::on_growth);
  *static_cast<void**>(lua_getextraspace(state_)) = nullptr;
  {
    const Arena::HostWork host(arena_);
    open_base_library(state_);
  }
  lua_sethook(state_, &Sandbox::on_count, LUA_MASKCOUNT, kHookEvery);
  begin_budget();
}

void Sandbox::begin_budget() {
  const uint64_t before = spent();
  const uint64_t slice_left = slice_end_ > before ? slice_end_ - before : 1;
  counted_ = charged_ = 0;
  next_look_ = last_chance_ = 0;
  allocated_at_start_ = arena_.allocated_bytes();
  tick_ns_ = cpu_start_ns_ = cpu_slice_ns_ = cpu_before_ns_ = 0;
  if (slice_end_ != 0) slice_end_ = slice_left;
  if (!collecting_ && arena_.used_bytes() > kCollectFrom) {
    collecting_ = true;
    lua_gc(state_, LUA_GCRESTART);
  }
}

void Sandbox::begin_slice(uint64_t instructions, Lane lane) {
  slice_end_ = instructions == 0 ? 0 : spent() + instructions;
  fast_ = lane == Lane::kFast && instructions != 0;
  if (fast_) fast_until_ns_ = read_ns(CLOCK_MONOTONIC) + kFastSliceNs;
  fast_cpu_ns_ = 0;
  arena_.watch_from(!fast_ ? SIZE_MAX : hook_every() == kHookEvery ? kLookOftenFrom : limits_.fast_bytes);
  last_chance_ = spent();
  next_look_ = charged_;
  cpu_before_ns_ += cpu_slice_ns_;
  tick_ns_ = cpu_start_ns_ = cpu_slice_ns_ = 0;  // Another thread may be at work, with a clock of its own.
}

bool Sandbox::slice_over() {
  if (slice_end_ == 0) return false;
  if (spent() > slice_end_ || cpu_slice_ns_ > kSliceCpuNs) return true;
  return fast_ && (arena_.used_bytes() > limits_.fast_bytes || arena_.big_blocks() > 0 || fast_time_over());
}

bool Sandbox::fast_time_over() {
  const int64_t now = read_ns(CLOCK_MONOTONIC);
  if (now <= fast_until_ns_) return false;
  const int64_t cpu = read_ns(CLOCK_THREAD_CPUTIME_ID);
  if (fast_cpu_ns_ != 0 && cpu - fast_cpu_ns_ > kFastGraceNs / 2) return true;
  fast_cpu_ns_ = cpu;
  fast_until_ns_ = now + kFastGraceNs;
  return false;
}

int Sandbox::hook_every() const { return fast_ && arena_.used_bytes() > kLookOftenFrom ? kHookOften : kHookEvery; }

void Sandbox::prepare(lua_State* L) {
  running_ = L;
  if (lua_gethookcount(L) != hook_every()) lua_sethook(L, &Sandbox::on_count, LUA_MASKCOUNT, hook_every());
}

void Sandbox::abandon() {
  if (doom_.empty()) doom_ = "the workflow is needed no more";
  slice_end_ = 0;
  next_look_ = 0;
  fast_ = false;
}

uint64_t Sandbox::spent() const {
  return counted_ + charged_ + (arena_.allocated_bytes() - allocated_at_start_) / kBytesPerInstruction;
}

Pause Sandbox::take_pause() { return std::exchange(pause_, Pause::kNone); }

void Sandbox::set_doom(lua_State* L, const char* reason) {
  if (!doom_.empty()) return;
  const std::string where = place(L);
  doom_ = where.empty() ? reason : absl::StrCat(where, ": ", reason);
}

void Sandbox::set_out_of_memory(lua_State* L) {
  lua_Debug frame;
  const bool deep = lua_getstack(L, kDeepCalls, &frame) != 0;
  set_doom(L, deep ? "stack overflow: calls nested so deep that the workflow used up its memory"
                   : "the workflow used up its memory");
}

bool Sandbox::has_room(size_t bytes) {
  if (arena_.used_bytes() + bytes <= limits_.memory_bytes) return true;
  lua_gc(state_, LUA_GCCOLLECT);
  return arena_.used_bytes() + bytes <= limits_.memory_bytes;
}

// Cheap: CPU time is asked for only when the coarse clock has moved on.
void Sandbox::read_clock() {
  const int64_t tick = read_ns(CLOCK_MONOTONIC_COARSE);
  if (tick == tick_ns_) return;
  tick_ns_ = tick;
  const int64_t cpu = read_ns(CLOCK_THREAD_CPUTIME_ID);
  if (cpu_start_ns_ == 0) cpu_start_ns_ = cpu;
  cpu_slice_ns_ = cpu - cpu_start_ns_;
}

void Sandbox::note_chance(uint64_t spent) {
  if (fast_ && spent > last_chance_) longest_stretch_ = std::max(longest_stretch_, spent - last_chance_);
  last_chance_ = spent;
}

bool Sandbox::over_budget() {
  read_clock();
  return doomed() || spent() > limits_.budget ||
         cpu_before_ns_ + cpu_slice_ns_ > absl::ToInt64Nanoseconds(limits_.budget_time);
}

void Sandbox::on_count(lua_State* L, lua_Debug*) {
  Sandbox& self = of(L);
  self.counted_ += static_cast<uint64_t>(lua_gethookcount(L));
  if (!self.collecting_ && self.arena_.used_bytes() > kCollectFrom) {
    self.collecting_ = true;
    lua_gc(L, LUA_GCRESTART);
  }
  if (self.over_budget()) return self.stop(L);
  if (!self.slice_over()) {
    self.note_chance(self.spent());
    if (lua_gethookcount(L) != self.hook_every())
      lua_sethook(L, &Sandbox::on_count, LUA_MASKCOUNT, self.hook_every());
    return;
  }
  if (!lua_isyieldable(L)) {
    self.pause_in_place();
    if (self.doomed()) self.stop(L);
    return;
  }
  self.pause_ = Pause::kSlice;
  lua_yield(L, 0);
}

// Within a hook, a yield leaves it at its end.
void Sandbox::stop(lua_State* L) {
  set_doom(L, "the workflow computed for too long without waiting");
  lua_sethook(L, &Sandbox::on_count, LUA_MASKCOUNT, 1);
  if (!lua_isyieldable(L)) throw_past_handlers(L);
  pause_ = Pause::kDoomed;
  lua_yield(L, 0);
}

void Sandbox::look(lua_State* L) {
  if (!look_without_error(L)) throw_past_handlers(L);
}

bool Sandbox::look_without_error(lua_State* L) {
  next_look_ = charged_ + kLookEvery;
  if (over_budget()) {
    set_doom(L, "the workflow computed for too long without waiting");
    lua_sethook(L, &Sandbox::on_count, LUA_MASKCOUNT, 1);
    return false;
  }
  if (slice_over()) {
    pause_in_place();
  } else {
    note_chance(spent());
  }
  return !doomed();
}

// What was told of is still to be done.
void Sandbox::pause_in_place() {
  if (stack_ == nullptr || !stack_->running()) return;
  last_chance_ = spent();
  stack_->suspend();
}

// A table's or a text's growth is a chance, too: what follows goes through all of it.
bool Sandbox::on_growth(Arena& arena) {
  Sandbox& self = *static_cast<Sandbox*>(arena.owner());
  if (self.slice_end_ == 0 || self.doomed()) return !self.doomed();
  if (self.over_budget()) {
    self.set_doom(self.state_, "the workflow computed for too long without waiting");
    return false;
  }
  if (self.slice_over()) {
    self.pause_in_place();
    return !self.doomed();
  }
  self.note_chance(self.spent());
  if (self.fast_ && self.hook_every() == kHookOften) {
    arena.watch_from(self.limits_.fast_bytes);
    if (self.running_ != nullptr && lua_gethookcount(self.running_) != kHookOften)
      lua_sethook(self.running_, &Sandbox::on_count, LUA_MASKCOUNT, kHookOften);
  }
  return true;
}

int Sandbox::keep_traceback(lua_State* L) {
  if (lua_type(L, 1) != LUA_TSTRING) {
    lua_settop(L, 1);
    return 1;
  }
  Sandbox& self = of(L);
  lua_Debug frame;
  if (self.arena_.used_bytes() > self.limits_.memory_bytes || lua_getstack(L, kTracedCalls, &frame) != 0) return 1;
  self.charge(kHookEvery);
  // Thrown again by who let it through: the first place is the error's own.
  if (self.failed_message_ == lua_tostring(L, 1)) return 1;
  const Arena::HostWork host(self.arena_);
  luaL_traceback(L, L, nullptr, 1);
  self.failed_message_ = lua_tostring(L, 1);
  self.failed_traceback_ = lua_tostring(L, -1);
  lua_settop(L, 1);
  return 1;
}

std::string Sandbox::traceback_of(lua_State* L, const std::string& message) const {
  if (!failed_traceback_.empty() && message == failed_message_) return failed_traceback_;
  const Arena::HostWork host(of(L).arena_);
  luaL_traceback(L, L, nullptr, 0);
  std::string traceback = lua_tostring(L, -1);
  lua_pop(L, 1);
  return traceback;
}

std::string Sandbox::place(lua_State* L) {
  lua_Debug frame;
  for (int level = 0; lua_getstack(L, level, &frame); ++level) {
    lua_getinfo(L, "Sl", &frame);
    if (frame.currentline > 0 && frame.source[0] == '@') return absl::StrCat(frame.short_src, ":", frame.currentline);
  }
  return "";
}

lua_CFunction stock_function(const char* library, const char* name) {
  using Functions = std::map<std::pair<std::string, std::string>, lua_CFunction>;
  static const Functions functions = [] {
    Functions found;
    lua_State* L = luaL_newstate();
    luaL_openlibs(L);
    for (const char* each : {"_G", "string", "table", "math", "utf8"}) {
      lua_getglobal(L, each);
      for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 1)) {
        if (lua_iscfunction(L, -1)) found[{each, lua_tostring(L, -2)}] = lua_tocfunction(L, -1);
      }
      lua_pop(L, 1);
    }
    lua_close(L);
    return found;
  }();
  return functions.at({library, name});
}

std::vector<luaL_Reg> stock_functions(const char* library, std::initializer_list<const char*> names) {
  std::vector<luaL_Reg> functions;
  for (const char* name : names) functions.push_back({name, stock_function(library, name)});
  return functions;
}

void rethrow_if_doomed(lua_State* L, int status) {
  Sandbox& sandbox = Sandbox::of(L);
  if (status == LUA_ERRMEM) sandbox.set_out_of_memory(L);
  if (sandbox.doomed()) throw_past_handlers(L);
}

void raise(lua_State* L, const char* format, ...) {
  luaL_where(L, 1);
  char text[512];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  lua_pushstring(L, text);
  lua_concat(L, 2);
  lua_error(L);
  __builtin_unreachable();
}

}  // namespace skald::lua
