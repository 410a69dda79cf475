#include "engine/server/open_store.h"

#include <CLI/CLI.hpp>
#include <absl/strings/str_cat.h>
#include <absl/strings/strip.h>

#include "engine/store/sqlite/sqlite_store.h"

namespace skald::server {

void add_store_options(CLI::App& command, StoreOptions& options) {
  command.add_option("--store", options.store, "Where state is kept: sqlite:FILE (the file's folder is made)")
      ->capture_default_str();
}

absl::StatusOr<std::unique_ptr<store::Store>> open_store(const StoreOptions& options) {
  absl::string_view path = options.store;
  if (!absl::ConsumePrefix(&path, "sqlite:")) {
    return absl::InvalidArgumentError(absl::StrCat("--store ", options.store, ": only sqlite:FILE is implemented"));
  }
  if (path.empty()) return absl::InvalidArgumentError("--store sqlite: names no file; write sqlite:FILE");
  return store::open_sqlite({.path = std::string(path)});
}

}  // namespace skald::server
