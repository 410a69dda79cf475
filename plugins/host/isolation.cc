#include "plugins/host/isolation.h"

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <string_view>

#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_replace.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

namespace skald::plugins {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kMysqlPath = "mysql:";
constexpr char kBooks[] = "books";  // what their names begin with in the plugin's folder
// Numbers that no system gives to people, services or containers.
constexpr uid_t kFirstUser = 0x7a000000;
constexpr uint32_t kUsers = 1 << 24;

bool lies_in_files(const std::string& data_path) { return !data_path.starts_with(kMysqlPath); }

std::string folder_of(const std::string& plugin, const std::string& data_path) {
  std::error_code error;
  return fs::absolute(absl::StrCat(data_path, ".", plugin), error).string();
}

uint32_t hash_of(std::string_view text) {  // FNV-1a: the same in every process
  uint64_t hash = 14695981039346656037u;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
  return static_cast<uint32_t>(hash ^ hash >> 32);
}

absl::StatusOr<std::optional<PluginUser>> user_of(const std::string& plugin, const std::string& data_path,
                                                  const std::string& option) {
  if (geteuid() != 0) {
    if (option.empty()) return std::nullopt;
    return absl::InvalidArgumentError(
        "--plugin-user needs a server that runs as root: another cannot give a plugin's process another user");
  }
  if (option.empty()) {
    const uid_t number = kFirstUser + hash_of(absl::StrCat(folder_of(plugin, data_path), "\n", plugin)) % kUsers;
    return PluginUser{number, number};
  }
  const std::string name = absl::StrReplaceAll(option, {{"{plugin}", plugin}});
  uint32_t number = 0;
  const passwd* const known =
      absl::SimpleAtoi(name, &number) ? getpwuid(static_cast<uid_t>(number)) : getpwnam(name.c_str());
  if (known == nullptr && !absl::SimpleAtoi(name, &number))
    return absl::FailedPreconditionError(absl::StrCat("--plugin-user: there is no user ", name, " for plugin ", plugin));
  const PluginUser user = known == nullptr ? PluginUser{number, number} : PluginUser{known->pw_uid, known->pw_gid};
  if (user.user == 0) return std::nullopt;
  return user;
}

absl::Status wrong(const std::string& what, const std::string& path) {
  return absl::PermissionDeniedError(absl::StrCat("cannot ", what, " ", path, ": ", std::strerror(errno)));
}

// Gives what is ours to the plugin's user: no file that it has made itself, whatever that may be a name of.
absl::Status give(const std::string& path, const std::optional<PluginUser>& to) {
  struct stat about {};
  if (lstat(path.c_str(), &about) != 0) return wrong("look at", path);
  const bool right_kind = S_ISDIR(about.st_mode) || (S_ISREG(about.st_mode) && about.st_nlink == 1);
  if (!right_kind) return absl::PermissionDeniedError(absl::StrCat(path, " is no file or folder of a plugin's own"));
  if (to && about.st_uid != to->user && lchown(path.c_str(), to->user, to->group) != 0)
    return wrong("give the plugin's user", path);
  if (chmod(path.c_str(), S_ISDIR(about.st_mode) ? 0700 : 0600) != 0) return wrong("keep others from", path);
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> files_in(const std::string& folder) {
  std::error_code error;
  std::vector<std::string> files;
  for (const auto& entry : fs::directory_iterator(folder, error)) files.push_back(entry.path().string());
  if (error) return absl::PermissionDeniedError(absl::StrCat("cannot read ", folder, ": ", error.message()));
  return files;
}

// <data_path>.<plugin>.sqlite, and its journals first: without it they mean nothing.
absl::Status move_in(const std::string& plugin, const std::string& data_path, const std::string& folder) {
  const std::string file = absl::StrCat(".", plugin, ".sqlite");
  if (!fs::exists(data_path + file)) return absl::OkStatus();
  if (fs::exists(absl::StrCat(folder, "/", kBooks, file))) {
    return absl::FailedPreconditionError(absl::StrCat("plugin ", plugin, " has books in ", data_path, file, " and in ",
                                                      folder, ": move those away that are not to be used"));
  }
  for (const char* more : {"-wal", "-shm", ""}) {
    const std::string from = absl::StrCat(data_path, file, more);
    if (!fs::exists(from)) continue;
    const std::string to = absl::StrCat(folder, "/", kBooks, file, more);
    if (rename(from.c_str(), to.c_str()) != 0) return wrong(absl::StrCat("move ", from, " to"), to);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Confinement> confinement_of(const std::string& plugin, const std::string& data_path,
                                           const IsolationOptions& options) {
  Confinement out;
  auto user = user_of(plugin, data_path, options.user);
  if (!user.ok()) return user.status();
  out.user = *user;
  std::error_code error;  // absolute, since the process begins elsewhere
  for (const std::string& path : options.hidden) out.hidden.push_back(fs::absolute(path, error).string());
  if (!lies_in_files(data_path)) return out;
  out.hidden.push_back(fs::absolute(data_path, error).string());
  out.folder = folder_of(plugin, data_path);
  if (mkdir(out.folder.c_str(), 0700) != 0 && errno != EEXIST) return wrong("make the folder", out.folder);
  if (auto status = give(out.folder, out.user); !status.ok()) return status;
  return out;
}

absl::StatusOr<std::string> books_of(const std::string& plugin, bool isolated, const std::string& data_path,
                                     const IsolationOptions& options) {
  if (isolated && options.data_path) {
    auto path = options.data_path(plugin);
    if (!path.ok()) return absl::FailedPreconditionError(path.status().message());
    return path;
  }
  if (!lies_in_files(data_path)) return data_path;
  const std::string folder = folder_of(plugin, data_path);
  if (!isolated) {
    const bool moved = fs::exists(absl::StrCat(folder, "/", kBooks, ".", plugin, ".sqlite"));
    return moved ? absl::StrCat(folder, "/", kBooks) : data_path;
  }
  const auto user = user_of(plugin, data_path, options.user);
  if (!user.ok()) return user.status();
  if (auto status = move_in(plugin, data_path, folder); !status.ok()) return status;
  const auto files = files_in(folder);
  if (!files.ok()) return files.status();
  for (const std::string& file : *files) {
    if (!fs::path(file).filename().string().starts_with(kBooks)) continue;
    if (auto status = give(file, *user); !status.ok()) return status;
  }
  return absl::StrCat("./", kBooks);
}

}  // namespace skald::plugins
