#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "plugins/sdk/effect_store.h"
#include "plugins/sdk/mysql_session.h"
#include "samples/mariadb/private_mariadb.h"

namespace skald::plugins {

// The MySQL server of this test binary, started once. A test that stops it starts it again.
class TestMysql {
 public:
  static samples::PrivateMariadb& server();
  static plugin::MysqlLogin login(const std::string& database);
  static std::string data_path(const plugin::MysqlLogin& login);
  // One statement as the server's administrator, in no database.
  static plugin::MysqlSession::Result run(const std::string& sql);
  static int64_t number(const std::string& sql) { return plugin::number(run(sql).rows.at(0).at(0)); }
};

}  // namespace skald::plugins
