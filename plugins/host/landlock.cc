#include "plugins/host/landlock.h"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <string_view>

#include <absl/strings/str_cat.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace skald::plugins {
namespace {

namespace fs = std::filesystem;

// linux/landlock.h, which older systems have in part or not at all.
constexpr uint64_t kWriteFile = 1 << 1, kReadFile = 1 << 2, kRefer = 1 << 13, kTruncate = 1 << 14;
constexpr uint64_t kMakeAndRemove = 0x1ff << 4;  // of files and folders of each kind
constexpr uint64_t kScopeSignal = 1 << 1;
constexpr uint32_t kVersionFlag = 1;
constexpr int kPathBeneath = 1;
struct Ruleset {
  uint64_t files, network, scoped;
};
struct [[gnu::packed]] PathBeneath {
  uint64_t allowed;
  int32_t parent;
};

absl::Status failed(const std::string& what) {
  return absl::UnavailableError(absl::StrCat("cannot hide files from the plugin: ", what, ": ", std::strerror(errno)));
}

class Rules {
 public:
  Rules(int fd, uint64_t handled) : fd_(fd), handled_(handled) {}
  ~Rules() { close(fd_); }

  // What cannot be allowed stays closed.
  void allow(const fs::path& path) {
    const int parent = open(path.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (parent < 0) return;
    struct stat about {};
    const bool is_link = fstat(parent, &about) != 0 || S_ISLNK(about.st_mode);
    const uint64_t of_files = kWriteFile | kReadFile | kTruncate;
    const PathBeneath rule{handled_ & (S_ISDIR(about.st_mode) ? ~uint64_t{0} : of_files), parent};
    if (!is_link) syscall(SYS_landlock_add_rule, fd_, kPathBeneath, &rule, 0);
    close(parent);
  }

  absl::Status restrict() const {
    if (syscall(SYS_landlock_restrict_self, fd_, 0) != 0) return failed("landlock_restrict_self");
    return absl::OkStatus();
  }

 private:
  const int fd_;
  const uint64_t handled_;
};

// Everything below `folder` but what is hidden.
void allow_others(Rules& rules, const fs::path& folder, const std::vector<fs::path>& hidden) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const fs::path& path = entry.path();
    bool is_hidden = false, leads_there = false;
    for (const fs::path& one : hidden) {
      is_hidden |= one.parent_path() == folder && path.filename().string().starts_with(one.filename().string());
      leads_there |= one.string().starts_with(path.string() + "/");
    }
    if (is_hidden) continue;
    leads_there ? allow_others(rules, path, hidden) : rules.allow(path);
  }
}

// As the kernel knows it; the last part need not be there.
fs::path real(const std::string& path) {
  std::error_code error;
  const fs::path whole = fs::absolute(path, error);
  const fs::path itself = fs::canonical(whole, error);
  return error ? fs::weakly_canonical(whole.parent_path(), error) / whole.filename() : itself;
}

}  // namespace

absl::Status hide_files(const std::vector<std::string>& hidden, const std::string& own) {
  const long version = syscall(SYS_landlock_create_ruleset, nullptr, 0, kVersionFlag);
  if (version < 1) return absl::UnimplementedError("this kernel has no Landlock");
  Ruleset ruleset{kWriteFile | kReadFile | kMakeAndRemove, 0, 0};
  if (version >= 2) ruleset.files |= kRefer;
  if (version >= 3) ruleset.files |= kTruncate;
  if (version >= 6) ruleset.scoped = kScopeSignal;
  // An older kernel takes a shorter description.
  const size_t size = version >= 6 ? 24 : version >= 4 ? 16 : 8;
  const auto fd = static_cast<int>(syscall(SYS_landlock_create_ruleset, &ruleset, size, 0));
  if (fd < 0) return failed("landlock_create_ruleset");
  Rules rules(fd, ruleset.files);
  std::vector<fs::path> places;
  for (const std::string& path : hidden) places.push_back(real(path));
  places.empty() ? rules.allow("/") : allow_others(rules, "/", places);
  if (!own.empty()) rules.allow(real(own));
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return failed("no_new_privs");
  return rules.restrict();
}

}  // namespace skald::plugins
