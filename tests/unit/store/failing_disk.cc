#include "tests/unit/store/failing_disk.h"

#include <atomic>

#include <sqlite3.h>

namespace skald::store {
namespace {

// The system's own file layer, but for the methods that fail. SQLite's interface is C: what it calls has to be
// reachable without an object.
constinit std::atomic<FailingDisk::Fault> current_fault = FailingDisk::Fault::kNone;
sqlite3_vfs* system_vfs = nullptr;
const sqlite3_io_methods* system_methods = nullptr;
sqlite3_vfs failing_vfs;
sqlite3_io_methods failing_methods;

int failing_write(sqlite3_file* file, const void* bytes, int size, sqlite3_int64 offset) {
  if (current_fault == FailingDisk::Fault::kWrite) return SQLITE_IOERR_WRITE;
  if (current_fault == FailingDisk::Fault::kFull) return SQLITE_FULL;
  return system_methods->xWrite(file, bytes, size, offset);
}

int failing_sync(sqlite3_file* file, int flags) {
  if (current_fault == FailingDisk::Fault::kFlush) return SQLITE_IOERR_FSYNC;
  return system_methods->xSync(file, flags);
}

int open_file(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  const int code = system_vfs->xOpen(system_vfs, name, file, flags, out_flags);
  if (code != SQLITE_OK || (flags & SQLITE_OPEN_WAL) == 0) return code;
  system_methods = file->pMethods;
  failing_methods = *system_methods;
  failing_methods.xWrite = failing_write;
  failing_methods.xSync = failing_sync;
  file->pMethods = &failing_methods;
  return code;
}

}  // namespace

FailingDisk::FailingDisk() {
  system_vfs = sqlite3_vfs_find(nullptr);
  failing_vfs = *system_vfs;
  failing_vfs.zName = "failing";
  failing_vfs.xOpen = open_file;
  current_fault = Fault::kNone;
  sqlite3_vfs_register(&failing_vfs, 1);
}

FailingDisk::~FailingDisk() {
  sqlite3_vfs_unregister(&failing_vfs);
  sqlite3_vfs_register(system_vfs, 1);
}

void FailingDisk::fail(Fault fault) { current_fault = fault; }

}  // namespace skald::store
