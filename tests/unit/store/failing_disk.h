#pragma once

#include <string>

namespace skald::store {

// Makes SQLite's files fail, in this process, for files that are opened while it lives. One at a time.
class FailingDisk {
 public:
  // From now on, writes and flushes of the write-ahead log fail. A write that fails writes nothing.
  enum class Fault { kNone, kFlush, kWrite, kFull };

  FailingDisk();
  ~FailingDisk();
  FailingDisk(const FailingDisk&) = delete;
  FailingDisk& operator=(const FailingDisk&) = delete;

  void fail(Fault fault);
};

}  // namespace skald::store
