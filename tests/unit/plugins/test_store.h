#pragma once

#include <memory>
#include <string>

#include "plugins/sdk/effect_store.h"

namespace skald::plugins {

// The store that this test binary is about: SQLite files, or databases of a MySQL server of its own. The tests are the
// same.
struct TestStore {
  // Where a plugin host keeps its plugins' data; `name` is the test's own, `folder` its scratch folder. What another
  // test left under the name is gone.
  static std::string data_path(const std::string& folder, const std::string& name);
  // The store of one plugin under a data path.
  static std::unique_ptr<plugin::LedgerStore> open(const std::string& data_path, int schema = 1) {
    return plugin::open_plugin_store(data_path, "test", schema);
  }
  static const bool is_mysql;
};

}  // namespace skald::plugins
