#include <filesystem>

#include "tests/unit/plugins/test_store.h"

namespace skald::plugins {

const bool TestStore::is_mysql = false;

std::string TestStore::data_path(const std::string& folder, const std::string& name) {
  std::string path = folder + "/" + name;
  std::filesystem::create_directories(folder);
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().filename().string().starts_with(name + ".")) std::filesystem::remove(entry.path());
  }
  return path;
}

}  // namespace skald::plugins
