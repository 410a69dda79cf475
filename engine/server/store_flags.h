#pragma once

#include <CLI/CLI.hpp>

#include "engine/server/open_store.h"

namespace skald::server {

// Adds --store and --store-password to a command. `options` must outlive the parsing.
void add_store_options(CLI::App& command, StoreOptions& options);

// Adds --plugin-store and --plugin-store-password.
void add_plugin_store_options(CLI::App& command, StoreOptions& options);

// Adds --plugin-store-user, --plugin-store-user-password and --plugin-user.
void add_plugin_isolation_options(CLI::App& command, PluginIsolation& isolation);

}  // namespace skald::server
