#include "plugins/host/library.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>
#include <string_view>

#include <absl/strings/ascii.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_replace.h>
#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "plugins/host/secrets.h"
#include "plugins/sdk/exception_text.h"

namespace skald::plugins {
namespace {

absl::Status failed(const std::string& path, const char* step) {
  return absl::InvalidArgumentError(absl::StrCat("cannot load plugin ", path, ": ", step, ": ", std::strerror(errno)));
}

bool copy_all(int from, int to, size_t size) {
  while (size > 0) {
    const ssize_t copied = sendfile(to, from, nullptr, size);
    if (copied < 0 && errno == EINTR) continue;
    if (copied <= 0) return false;
    size -= static_cast<size_t>(copied);
  }
  return true;
}

// A file mapped to be read; empty if it cannot be.
class Mapped {
 public:
  Mapped(int fd, size_t size) : size_(size), at_(mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0)) {}
  ~Mapped() {
    if (at_ != MAP_FAILED) munmap(at_, size_);
  }
  std::string_view bytes() const {
    return at_ == MAP_FAILED ? std::string_view() : std::string_view(static_cast<const char*>(at_), size_);
  }

 private:
  const size_t size_;
  void* const at_;
};

constexpr uint64_t kNowhere = UINT64_MAX;

uint64_t end_of(uint64_t offset, uint64_t size) { return offset > kNowhere - size ? kNowhere : offset + size; }

// How long the file must be for what its headers speak of; the loader would not ask, and die of SIGBUS.
uint64_t length_of(std::string_view bytes, const ElfW(Ehdr) & header) {
  const uint64_t programs = end_of(header.e_phoff, uint64_t{header.e_phnum} * sizeof(ElfW(Phdr)));
  const uint64_t sections =
      header.e_shoff == 0 ? 0 : end_of(header.e_shoff, uint64_t{header.e_shnum} * uint64_t{header.e_shentsize});
  uint64_t length = std::max({uint64_t{sizeof header}, programs, sections});
  if (programs > bytes.size()) return length;
  for (size_t i = 0; i < header.e_phnum; ++i) {
    ElfW(Phdr) program;
    std::memcpy(&program, bytes.data() + header.e_phoff + i * sizeof program, sizeof program);
    if (program.p_type != PT_NULL) length = std::max(length, end_of(program.p_offset, program.p_filesz));
  }
  return length;
}

absl::Status check_file(const std::string& path, std::string_view bytes) {
  const auto refused = [&](const std::string& why) {
    return absl::InvalidArgumentError(absl::StrCat("cannot load plugin ", path, ": ", why));
  };
  if (!bytes.starts_with(ELFMAG)) return refused("it is not a shared library: build it again, or take it away");
  ElfW(Ehdr) header{};
  std::memcpy(&header, bytes.data(), std::min(bytes.size(), sizeof header));
  if (bytes.size() >= sizeof header) {
    const int bits = sizeof(void*) == 8 ? ELFCLASS64 : ELFCLASS32;
    if (header.e_ident[EI_CLASS] != bits || header.e_type != ET_DYN || header.e_phentsize != sizeof(ElfW(Phdr)))
      return refused("it is not a shared library for this machine: build it again, or take it away");
  }
  const uint64_t length = bytes.size() < sizeof header ? sizeof header : length_of(bytes, header);
  if (length <= bytes.size()) return absl::OkStatus();
  return refused(absl::StrCat("it is cut short: it has ", bytes.size(), " bytes and its headers speak of ",
                              length == kNowhere ? "more than any file has" : absl::StrCat(length), ": copy it again"));
}

absl::Status check(const std::string& path, const skald_plugin* plugin) {
  if (plugin == nullptr)
    return absl::InvalidArgumentError(absl::StrCat(path, ": its skald_plugin_entry returned nothing"));
  // Nothing behind the first field may be read before it is known to be right.
  if (plugin->abi != SKALD_PLUGIN_ABI) {
    return absl::FailedPreconditionError(absl::StrCat(path, " was built for plugin interface ", plugin->abi,
                                                      ", this host speaks ", SKALD_PLUGIN_ABI, ": build it again"));
  }
  if (plugin->name == nullptr || !is_good_name(plugin->name))
    return absl::InvalidArgumentError(absl::StrCat(path, ": a plugin's name is letters, digits, _ and -"));
  if (plugin->init == nullptr || plugin->execute == nullptr || plugin->shutdown == nullptr)
    return absl::InvalidArgumentError(absl::StrCat(path, ": init, execute and shutdown must all be there"));
  std::set<std::string_view> names;
  for (size_t i = 0; i < plugin->activity_count; ++i) {
    const char* name = plugin->activities[i];
    if (name == nullptr || !is_good_name(name))
      return absl::InvalidArgumentError(absl::StrCat(path, ": an activity's name is letters, digits, _ and -"));
    if (!names.insert(name).second)
      return absl::AlreadyExistsError(absl::StrCat(path, ": activity ", plugin->name, ".", name, " is there twice"));
  }
  return absl::OkStatus();
}

}  // namespace

bool is_good_name(std::string_view name) {
  for (const char c : name) {
    if (!absl::ascii_isalnum(static_cast<unsigned char>(c)) && c != '_' && c != '-') return false;
  }
  return !name.empty();
}

absl::StatusOr<std::shared_ptr<const LibraryImage>> LibraryImage::read(const std::string& path) {
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return failed(path, "open");
  struct stat about {};
  const std::string name = path.substr(path.rfind('/') + 1).substr(0, 200);
  const int copy = memfd_create(name.c_str(), MFD_CLOEXEC | MFD_ALLOW_SEALING);
  const bool copied = copy >= 0 && fstat(file, &about) == 0 && copy_all(file, copy, static_cast<size_t>(about.st_size));
  const auto size = static_cast<size_t>(about.st_size);
  const absl::Status status = copied ? check_file(path, Mapped(copy, size).bytes()) : failed(path, "read");
  close(file);
  if (!status.ok()) {
    if (copy >= 0) close(copy);
    return status;
  }
  // Processes of isolated plugins get it too.
  fcntl(copy, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL);
  return std::shared_ptr<const LibraryImage>(new LibraryImage(path, copy, size));
}

LibraryImage::~LibraryImage() { close(fd_); }

bool LibraryImage::operator==(const LibraryImage& other) const {
  if (size_ != other.size_) return false;
  const Mapped mine(fd_, size_), others(other.fd_, size_);
  return mine.bytes().size() == size_ && mine.bytes() == others.bytes();
}

absl::StatusOr<const skald_plugin*> open_library(int fd, const std::string& path) {
  const std::string name = absl::StrCat("/proc/self/fd/", fd);
  void* library = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat("cannot load plugin ", path, ": ", absl::StrReplaceAll(dlerror(), {{name, path}})));
  }
  const auto entry = reinterpret_cast<skald_plugin_entry_fn>(dlsym(library, "skald_plugin_entry"));
  if (entry == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, " is not a Skald plugin: it does not export skald_plugin_entry"));
  }
  try {
    const skald_plugin* const plugin = entry();
    if (auto status = check(path, plugin); !status.ok()) return status;
    return plugin;
  } catch (...) {
    const auto [type, message] = plugin::current_exception_text();
    return absl::InvalidArgumentError(absl::StrCat(path, ": its skald_plugin_entry threw ", type, ": ", message));
  }
}

PluginFacts facts_of(const skald_plugin& plugin) {
  PluginFacts facts;
  facts.name = plugin.name;
  if (plugin.version != nullptr) facts.version = plugin.version;
  facts.activities.assign(plugin.activities, plugin.activities + plugin.activity_count);
  if (plugin.config_schema != nullptr) facts.config_schema = plugin.config_schema;
  return facts;
}

absl::Status initialize(const skald_plugin& plugin, const skald_host& host, const std::string& config,
                        const std::string& data_path) {
  char error[512] = "";
  std::string reason;
  try {
    if (plugin.init(&host, {config.data(), config.size()}, {data_path.data(), data_path.size()}, error, sizeof error) ==
        0)
      return absl::OkStatus();
    error[sizeof error - 1] = 0;
    reason = error;
  } catch (...) {
    const auto [type, message] = plugin::current_exception_text();
    reason = absl::StrCat(type, ": ", message);
  }
  return absl::FailedPreconditionError(blank_secrets(reason));
}

}  // namespace skald::plugins
