#pragma once

#include <memory>
#include <string>

#include <absl/status/statusor.h>

#include "engine/store/store.h"

namespace CLI {
class App;
}

namespace skald::server {

// Where state is kept, as the command line says it.
struct StoreOptions {
  std::string store = "sqlite:data/skald.sqlite";  // sqlite:FILE
  std::string password_reference;                  // where the database's password stands; empty = in `store`, or none
};

// Adds --store to a command. `options` must outlive the parsing.
void add_store_options(CLI::App& command, StoreOptions& options);

// Opens the store, or makes it. Errors are sentences for the person who named it: INVALID_ARGUMENT if the text is no
// store's, else as the store's own open says.
absl::StatusOr<std::unique_ptr<store::Store>> open_store(const StoreOptions& options);

}  // namespace skald::server
