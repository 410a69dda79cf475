#include "engine/server/store_flags.h"

namespace skald::server {

void add_store_options(CLI::App& command, StoreOptions& options) {
  command
      .add_option("--store", options.store,
                  "Where state is kept: sqlite:FILE (its folder is made) or mysql://user@host:port/database (made too)")
      ->capture_default_str();
  command.add_option("--store-password", options.password_reference,
                     "Where the database's password stands: env:NAME or file:PATH");
}

void add_plugin_store_options(CLI::App& command, StoreOptions& options) {
  command.add_option(
      "--plugin-store", options.store,
      "Where plugins keep what they did: sqlite:PREFIX of files, or mysql://user@host:port/database for databases "
      "of this name and the plugin's");
  command.add_option("--plugin-store-password", options.password_reference,
                     "Where that database's password stands: env:NAME or file:PATH");
}

void add_plugin_isolation_options(CLI::App& command, PluginIsolation& isolation) {
  command.add_option("--plugin-store-user", isolation.store_user,
                     "Who plugins in processes of their own are in that database ({plugin}: the plugin's name). They "
                     "never have the engine's own login");
  command.add_option("--plugin-store-user-password", isolation.password_reference,
                     "Where his password stands: env:NAME or file:PATH ({plugin}: the plugin's name)");
  command.add_option("--plugin-user", isolation.process_user,
                     "Whose these processes are where this one runs as root: a name or a number ({plugin}: the "
                     "plugin's name); none: a number of its own for each plugin");
}

}  // namespace skald::server
