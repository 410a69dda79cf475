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

}  // namespace skald::server
