#pragma once

#include <memory>
#include <mutex>
#include <utility>

#include "engine/store/memory/tables.h"

namespace skald::store {

// What outlives the process in a simulation: the data that memory stores are opened on, one after the other or, to play
// a process that does not know that it was replaced, at the same time. Thread-safe.
class MemoryDisk {
 public:
  MemoryDisk() = default;
  MemoryDisk(const MemoryDisk&) = delete;
  MemoryDisk& operator=(const MemoryDisk&) = delete;

  // Calls `use` with the tables, alone. It must not keep a reference, and not call the disk again.
  template <typename F>
  auto with(F&& use) {
    const std::lock_guard lock(mutex_);
    return std::forward<F>(use)(tables_);
  }

  // A disk of its own with the same data, to try several futures from one point.
  std::shared_ptr<MemoryDisk> copy() {
    auto other = std::make_shared<MemoryDisk>();
    other->tables_ = with([](const Tables& tables) { return tables; });
    return other;
  }

 private:
  std::mutex mutex_;
  Tables tables_;
};

}  // namespace skald::store
