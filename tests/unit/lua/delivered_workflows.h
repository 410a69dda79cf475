#pragma once

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "lua/definitions.h"

namespace skald::lua::testing {

inline std::string text_of(const std::filesystem::path& file) {
  std::ifstream in(file);
  return {std::istreambuf_iterator<char>(in), {}};
}

// A workflow as it is delivered, and the modules that it may require.
inline std::string delivered_workflow(const std::string& name) {
  return text_of(std::filesystem::path(WORKFLOWS_FOLDER) / (name + ".lua"));
}

inline ModuleSources delivered_modules() {
  ModuleSources modules;
  for (const auto& entry : std::filesystem::directory_iterator(std::filesystem::path(WORKFLOWS_FOLDER) / "lib"))
    modules[entry.path().stem()] = text_of(entry.path());
  return modules;
}

}  // namespace skald::lua::testing
