#include "tests/bench/common/fsync_probe.h"

#include <algorithm>
#include <system_error>
#include <vector>

#include <absl/time/clock.h>
#include <fcntl.h>
#include <unistd.h>

namespace skald::bench {

FsyncProbe probe_fsync(const std::string& folder) {
  constexpr size_t kWrites = 200;
  const auto check = [](bool good, const std::string& what) {
    if (!good) throw std::system_error(errno, std::generic_category(), what);
  };
  std::string path = folder + "/fsync-probe-XXXXXX";
  const int file = mkstemp(path.data());
  check(file >= 0, "cannot make " + path);
  unlink(path.c_str());
  const std::string block(4096, 'x');
  std::vector<absl::Duration> took;
  for (size_t i = 0; i < kWrites; ++i) {
    const absl::Time begin = absl::Now();
    check(write(file, block.data(), block.size()) == static_cast<ssize_t>(block.size()), "cannot write " + path);
    check(fdatasync(file) == 0, "cannot sync " + path);
    took.push_back(absl::Now() - begin);
  }
  close(file);
  std::sort(took.begin(), took.end());
  return {took[kWrites / 2], took[kWrites * 99 / 100]};
}

}  // namespace skald::bench
