#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

namespace skald::plugins {

// A folder that is removed with everything in it. Empty path: it could not be made.
class Scratch {
 public:
  Scratch() {
    std::error_code code;
    std::string made = (std::filesystem::temp_directory_path(code) / "skald-plugin-XXXXXX").string();
    if (mkdtemp(made.data()) != nullptr) path_ = made;
  }
  ~Scratch() {
    std::error_code code;
    if (!path_.empty()) std::filesystem::remove_all(path_, code);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace skald::plugins
