#pragma once

#include <string>

#include <absl/time/time.h>

namespace skald::bench {

// What one durable write costs on this disk, apart from everything of ours.
struct FsyncProbe {
  absl::Duration median;
  absl::Duration p99;
};

// Appends 4 KiB and calls fdatasync, 200 times, to a scratch file in `folder` (which must exist). Throws
// std::system_error.
FsyncProbe probe_fsync(const std::string& folder);

}  // namespace skald::bench
