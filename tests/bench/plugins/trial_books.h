#pragma once

#include <memory>
#include <string>

#include "plugins/sdk/effect_store.h"
#include "samples/mariadb/private_mariadb.h"

namespace skald::bench {

// Empty books on either store, gone with the object: SQLite files in a folder, or databases of a private server.
class TrialBooks {
 public:
  // "sqlite" or "mysql". Throws std::runtime_error.
  TrialBooks(std::string store, const std::string& folder);
  ~TrialBooks();

  // A plugin host's data path, whose books are new.
  std::string new_data_path();
  // What the database was asked and what it committed since it was started; 0 on SQLite.
  struct Counters {
    int64_t statements = 0, commits = 0;
  };
  Counters counters();

 private:
  const std::string store_, folder_;
  int made_ = 0;
  std::unique_ptr<samples::PrivateMariadb> server_;
};

}  // namespace skald::bench
