#include "engine/store/sqlite/data_file.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string_view>

#include <absl/strings/str_cat.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace skald::store {
namespace {

// The database header, see https://www.sqlite.org/fileformat.html.
constexpr size_t kHeaderSize = 100;
constexpr std::string_view kMagic("SQLite format 3\0", 16);
constexpr size_t kPageSizeAt = 16;
constexpr size_t kChangeCounterAt = 24;
constexpr size_t kPagesAt = 28;
constexpr size_t kApplicationIdAt = 68;
constexpr size_t kPagesValidForAt = 92;

using Header = std::array<char, kHeaderSize>;

uint32_t big_endian(const Header& header, size_t at, size_t size) {
  uint32_t number = 0;
  for (size_t i = 0; i < size; ++i) number = number << 8U | static_cast<unsigned char>(header[at + i]);
  return number;
}

uint64_t size_of(const std::string& path) {
  std::error_code error;
  const auto size = std::filesystem::file_size(path, error);
  return error ? 0 : size;
}

absl::Status not_ours(const std::string& path, const std::string& what) {
  return absl::DataLossError(
      absl::StrCat(path, " ", what, "; it was left as it is: name another file, or restore this one from a backup"));
}

// Shorter than its header says, and no log that would make up for it.
bool is_cut_off(const std::string& path, const Header& header, uint64_t size) {
  if (size_of(path + "-wal") > 0) return false;
  if (big_endian(header, kChangeCounterAt, 4) != big_endian(header, kPagesValidForAt, 4)) return false;
  const uint32_t stored = big_endian(header, kPageSizeAt, 2);
  const uint64_t page_size = stored == 1 ? 65'536 : stored;
  return size < page_size * big_endian(header, kPagesAt, 4);
}

absl::Status check_header(const std::string& path) {
  const uint64_t size = size_of(path);
  // A rollback journal means a crash while the file was made: SQLite mends that.
  if (size == 0 || size_of(path + "-journal") > 0) return absl::OkStatus();
  Header header = {};
  std::ifstream file(path, std::ios::binary);
  file.read(header.data(), header.size());
  if (file.gcount() != static_cast<std::streamsize>(header.size()) ||
      !std::equal(kMagic.begin(), kMagic.end(), header.begin())) {
    return not_ours(path, "is no Skald data file");
  }
  if (big_endian(header, kApplicationIdAt, 4) != kApplicationId) {
    return not_ours(path, "is an SQLite database, but not one of Skald's");
  }
  if (is_cut_off(path, header, size)) return not_ours(path, "is damaged: its end is missing");
  return absl::OkStatus();
}

}  // namespace

FileLock::~FileLock() {
  if (descriptor_ >= 0) close(descriptor_);
}

absl::Status FileLock::take(const std::string& data_path) {
  const std::string path = data_path + ".lock";
  descriptor_ = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640);
  if (descriptor_ < 0) {
    return absl::PermissionDeniedError(absl::StrCat("cannot write to ", path, ": ", std::strerror(errno),
                                                    "; see to the rights of the file and its folder"));
  }
  if (flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
    char holder[256] = {};
    const ssize_t size = pread(descriptor_, holder, sizeof(holder) - 1, 0);
    return absl::FailedPreconditionError(
        absl::StrCat("another process", size > 0 ? absl::StrCat(" (", holder, ")") : std::string(), " is using ",
                     data_path, "; stop it first, or name another file"));
  }
  const std::string self = absl::StrCat("pid ", getpid());
  if (ftruncate(descriptor_, 0) != 0 || pwrite(descriptor_, self.data(), self.size(), 0) < 0) {
    // The holder's name is a courtesy; the lock itself stands.
  }
  return absl::OkStatus();
}

void keep_from_others(const std::string& data_path) {
  for (const char* more : {"", "-wal", "-shm", "-journal", ".lock"}) {
    const std::string path = data_path + more;
    struct stat about {};
    if (stat(path.c_str(), &about) != 0 || (about.st_mode & S_IRWXO) == 0 || about.st_uid != geteuid()) continue;
    chmod(path.c_str(), about.st_mode & 07777 & ~static_cast<mode_t>(S_IRWXO));
  }
}

absl::Status make_folder(const std::string& data_path) {
  const std::filesystem::path path(data_path);
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) {
    return absl::InvalidArgumentError(absl::StrCat(data_path, " is a folder; name a file in it"));
  }
  if (!path.has_parent_path()) return absl::OkStatus();
  std::filesystem::create_directories(path.parent_path(), error);
  if (!error) return absl::OkStatus();
  return absl::PermissionDeniedError(absl::StrCat("cannot make the folder ", path.parent_path().string(), ": ",
                                                  error.message(), "; make it yourself, or name a file elsewhere"));
}

absl::Status check_data_file(const std::string& data_path) {
  if (eaccess(data_path.c_str(), F_OK) != 0 && errno == ENOENT) return absl::OkStatus();
  if (eaccess(data_path.c_str(), R_OK | W_OK) != 0) {
    return absl::PermissionDeniedError(absl::StrCat("cannot read and write ", data_path, ": ", std::strerror(errno),
                                                    "; see to the rights of the file and its folder"));
  }
  return check_header(data_path);
}

}  // namespace skald::store
