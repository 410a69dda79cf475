#include "plugins/host/confine.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include <absl/strings/str_cat.h>
#include <dirent.h>
#include <grp.h>
#include <linux/capability.h>
#include <skald/plugin/v1/isolation.pb.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "plugins/host/landlock.h"

namespace skald::plugins {
namespace {

absl::Status refused(const std::string& what) {
  return absl::UnavailableError(absl::StrCat("the plugin's process cannot ", what, ": ", std::strerror(errno)));
}

absl::Status become(uid_t user, gid_t group) {
  if (setgroups(0, nullptr) != 0) return refused("leave the host's groups");
  if (setresgid(group, group, group) != 0) return refused(absl::StrCat("have the group ", group));
  if (setresuid(user, user, user) != 0) {
    return refused(absl::StrCat("have the user ", user,
                                " (a container may have no such number: name a user that is there by --plugin-user)"));
  }
  return absl::OkStatus();
}

// A server may have some without being root.
absl::Status drop_capabilities() {
  prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  const __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {};
  if (syscall(SYS_capset, &header, none) != 0) return refused("give up its capabilities");
  return absl::OkStatus();
}

// The processes of this user and their threads.
int64_t tasks_of_user() {
  int64_t count = 0;
  DIR* const processes = opendir("/proc");
  if (processes == nullptr) return 0;
  while (const dirent* entry = readdir(processes)) {
    if (std::atoi(entry->d_name) <= 0) continue;
    std::ifstream status("/proc/" + std::string(entry->d_name) + "/status");
    int64_t user = -1, threads = 0;
    for (std::string word; status >> word;) {
      if (word == "Uid:") status >> user;
      if (word == "Threads:") status >> threads;
    }
    if (user == static_cast<int64_t>(getuid())) count += threads;
  }
  closedir(processes);
  return count;
}

void lower(__rlimit_resource resource, int64_t most) {
  rlimit limit{};
  if (getrlimit(resource, &limit) != 0) return;
  limit.rlim_max = std::min(limit.rlim_max, static_cast<rlim_t>(most));
  limit.rlim_cur = limit.rlim_max;
  setrlimit(resource, &limit);
}

}  // namespace

absl::StatusOr<bool> confine(const plugin::v1::Confinement& to) {
  if (!to.folder().empty() && chdir(to.folder().c_str()) != 0)
    return refused(absl::StrCat("enter its folder ", to.folder()));
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return refused("set no_new_privs");
  const absl::Status hiding = hide_files({to.hidden().begin(), to.hidden().end()}, to.folder());
  if (!hiding.ok() && !absl::IsUnimplemented(hiding)) return hiding;
  if (to.has_user()) {
    if (auto status = become(to.user(), to.group()); !status.ok()) return status;
  }
  if (to.has_user() || geteuid() != 0) {
    if (auto status = drop_capabilities(); !status.ok()) return status;
  }
  lower(RLIMIT_CORE, 0);
  // Another user forgets both.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  prctl(PR_SET_DUMPABLE, 0);  // what it knows is not for others of its user
  return hiding.ok();
}

void limit_files(int64_t most) { lower(RLIMIT_NOFILE, most); }

void limit_processes(int64_t most) { lower(RLIMIT_NPROC, tasks_of_user() + most); }

}  // namespace skald::plugins
