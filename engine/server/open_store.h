#pragma once

#include <memory>
#include <string>

#include <absl/status/statusor.h>

#include "engine/store/mysql/address.h"
#include "engine/store/store.h"
#include "plugins/host/isolation.h"

namespace skald::server {

// Where state is kept, as the command line says it.
struct StoreOptions {
  std::string store = "sqlite:data/skald.sqlite";  // sqlite:FILE or mysql://user[:password]@host[:port]/database
  std::string password_reference;                  // where the database's password stands; empty = in `store`, or none
  int owners = 2;                                  // loops that commit at the same time
  int lease_seconds = 10;                          // how long a database's lease stands without being prolonged
};

bool is_mysql(const std::string& store);

// The address with its password. NOT_FOUND or INVALID_ARGUMENT in a sentence without it.
absl::StatusOr<store::MysqlAddress> mysql_address(const StoreOptions& options);

// The store's name for people: never with a password.
std::string store_text(const StoreOptions& options);

// Opens the store, or makes it. Errors are sentences for the person who named it: INVALID_ARGUMENT if the text is no
// store's, else as the store's own open says.
// Without `create` a database that is not there is NOT_FOUND, and none is made.
absl::StatusOr<std::unique_ptr<store::Store>> open_store(const StoreOptions& options, bool create = true);

// OK if the server of a mysql:// address lets us in, or if it is another kind of store.
absl::Status reach_database(const StoreOptions& options);

// What plugins in processes of their own are let in with, and whose those are. "{plugin}" stands for the plugin's name.
struct PluginIsolation {
  std::string store_user;          // of the plugins' database; empty: none
  std::string password_reference;  // where his password stands; empty: he has none
  std::string process_user;        // where this process runs as root; empty: one for each plugin
};

// `engine`: the engine's own store, which such plugins are not to reach; nullptr: there is none. `plugins`: that of the
// plugins, by which they may be the same.
absl::StatusOr<plugins::IsolationOptions> isolation_options(const StoreOptions* engine, const StoreOptions& plugins,
                                                            const PluginIsolation& isolation);

// Where plugins keep their effects, as the plugins' own interface says it (data_path in plugins/sdk/skald_plugin.h):
// sqlite:PREFIX is the beginning of the names of their files, whose folder is made; mysql://… a database beside which
// they make their own. `beside` is added to the name of an engine's own file, whose neighbours they then are.
absl::StatusOr<std::string> plugin_data_path(const StoreOptions& store, const std::string& beside = "");

// Where it is noted what is being worked on: the beginning of the names of files beside the store's own, or, for a database, in the
// folder for temporary files.
std::string quarantine_path(const StoreOptions& store);

}  // namespace skald::server
