#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <absl/status/statusor.h>

#include "plugins/sdk/skald_plugin.h"

namespace skald::plugins {

// What a plugin says about itself.
struct PluginFacts {
  std::string name, version;
  std::vector<std::string> activities;
  std::optional<std::string> config_schema;  // none: anything goes
};

// The bytes of a shared object as they were when it was read, in memory that nothing can change: whoever runs them does
// not notice what becomes of the file. Immutable.
class LibraryImage {
 public:
  static absl::StatusOr<std::shared_ptr<const LibraryImage>> read(const std::string& path);
  ~LibraryImage();
  LibraryImage(const LibraryImage&) = delete;
  LibraryImage& operator=(const LibraryImage&) = delete;

  const std::string& path() const { return path_; }  // of the file
  int fd() const { return fd_; }
  bool operator==(const LibraryImage& other) const;  // the same bytes

 private:
  LibraryImage(std::string path, int fd, size_t size) : path_(std::move(path)), fd_(fd), size_(size) {}
  const std::string path_;
  const int fd_;
  const size_t size_;
};

// Opens the library behind a file descriptor, which must stay open, and checks what it says about itself; `path` names
// it in sentences. It is never closed: whatever it began may still run in its code.
absl::StatusOr<const skald_plugin*> open_library(int fd, const std::string& path);

PluginFacts facts_of(const skald_plugin& plugin);

// Calls the plugin's init. An error is a sentence without secrets.
absl::Status initialize(const skald_plugin& plugin, const skald_host& host, const std::string& config,
                        const std::string& data_path);

bool is_good_name(std::string_view name);  // of a plugin or an activity

}  // namespace skald::plugins
