#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace skald::lua {

// The memory of one Lua state: counted, bounded, and given back as a whole without visiting what lies in it. Small
// blocks come from free lists by size, so that making and dropping a state costs little. Not thread-safe, as a Lua
// state is not.
class Arena {
 public:
  // `owner` is whatever the state's host wants to find again from the state.
  Arena(size_t limit_bytes, void* owner);
  ~Arena();
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  // A lua_Alloc over the Arena that `arena` points to. Null when the limit is reached, unless the host is at work.
  static void* allocate(void* arena, void* block, size_t old_size, size_t new_size);

  // While one of these lives the limit does not hold: the host's own work is bounded otherwise, and must not end in a
  // Lua error. What the host took beyond the limit makes the script's next allocation fail.
  class HostWork {
   public:
    explicit HostWork(Arena& arena) : arena_(arena) { ++arena_.host_work_; }
    ~HostWork() { --arena_.host_work_; }
    HostWork(const HostWork&) = delete;
    HostWork& operator=(const HostWork&) = delete;

   private:
    Arena& arena_;
  };

  // Asked before a block of at least kWatchedBlock, and before any growth beyond `watch_from` bytes, is handed out, and
  // before one is refused; it may refuse. Not asked of the host's own work.
  using Watch = bool (*)(Arena&);
  static constexpr size_t kWatchedBlock = 8 << 10;
  void set_watch(Watch watch) { watch_ = watch; }
  void watch_from(size_t bytes) { watch_from_ = bytes; }

  void* owner() const { return owner_; }
  size_t used_bytes() const { return used_; }
  // What is taken from the system; what a cache should count.
  size_t reserved_bytes() const { return reserved_; }
  // The blocks of at least this size that are there.
  static constexpr size_t kBigBlock = (48 << 10) + 1;
  size_t big_blocks() const { return big_; }
  // All that was ever asked for: a measure of work.
  uint64_t allocated_bytes() const { return allocated_; }

 private:
  static constexpr size_t kGrain = 16;
  static constexpr size_t kClasses = 32;
  static constexpr size_t kLargestSmall = kGrain * kClasses;

  struct FreeBlock {
    FreeBlock* next;
  };
  struct Chunk {
    Chunk* next;
  };
  struct alignas(16) LargeBlock {
    LargeBlock* previous;
    LargeBlock* next;
  };

  bool admits(size_t growth, size_t size);
  void* take(size_t size);
  void* take_small(size_t size);
  void* take_large(size_t size);
  void give_back(void* block, size_t size);
  void link(LargeBlock* block);
  void unlink(LargeBlock* block);

  void* owner_;
  size_t limit_;
  size_t used_ = 0;
  size_t reserved_ = 0;
  uint64_t allocated_ = 0;
  size_t big_ = 0;
  int host_work_ = 0;
  Watch watch_ = nullptr;
  size_t watch_from_ = SIZE_MAX;
  std::array<FreeBlock*, kClasses> free_{};
  Chunk* chunks_ = nullptr;
  size_t next_chunk_bytes_;
  char* fresh_ = nullptr;
  char* fresh_end_ = nullptr;
  LargeBlock* large_ = nullptr;
};

}  // namespace skald::lua
