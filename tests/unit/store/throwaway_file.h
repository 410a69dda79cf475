#pragma once

#include <atomic>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include <gtest/gtest.h>
#include <unistd.h>

namespace skald::store {

// A place for a data file, in a folder of its own that does not exist yet and goes away with this.
class ThrowawayFile {
 public:
  ThrowawayFile() : folder_(fresh_folder()) {}
  ~ThrowawayFile() { std::filesystem::remove_all(folder_); }
  ThrowawayFile(const ThrowawayFile&) = delete;
  ThrowawayFile& operator=(const ThrowawayFile&) = delete;

  std::string path() const { return (folder_ / "skald.db").string(); }
  const std::filesystem::path& folder() const { return folder_; }

  std::string content() const {
    std::ifstream file(path(), std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  void write(const std::string& content) const {
    std::filesystem::create_directories(folder_);
    std::ofstream(path(), std::ios::binary | std::ios::trunc) << content;
  }

 private:
  static std::filesystem::path fresh_folder() {
    static std::atomic<int> number = 0;
    const auto folder = std::filesystem::path(testing::TempDir()) /
                        ("skald-store-" + std::to_string(getpid()) + "-" + std::to_string(++number));
    std::filesystem::remove_all(folder);
    return folder;
  }

  std::filesystem::path folder_;
};

}  // namespace skald::store
