#include "tests/unit/plugins/mysql_test_store.h"

#include <algorithm>
#include <cctype>

#include <gtest/gtest.h>

#include "tests/unit/plugins/test_store.h"

namespace skald::plugins {
namespace {

samples::PrivateMariadb* running = nullptr;

class Server : public testing::Environment {
 public:
  void SetUp() override {
    running = &server_;
    const auto status = server_.start();
    ASSERT_TRUE(status.ok()) << status;
  }
  void TearDown() override { running = nullptr; }

 private:
  samples::PrivateMariadb server_;
};

[[maybe_unused]] testing::Environment* const environment = testing::AddGlobalTestEnvironment(new Server);

// A database's name is at most 64 characters long, the plugin's included.
std::string database_of(const std::string& name) {
  std::string out = name;
  std::replace_if(
      out.begin(), out.end(), [](unsigned char c) { return std::isalnum(c) == 0; }, '_');
  return out.substr(out.size() > 46 ? out.size() - 46 : 0);
}

}  // namespace

const bool TestStore::is_mysql = true;

samples::PrivateMariadb& TestMysql::server() { return *running; }

plugin::MysqlLogin TestMysql::login(const std::string& database) {
  const auto& address = server().address();
  return {.host = address.host,
          .port = address.port,
          .user = address.user,
          .password = address.password,
          .database = database};
}

std::string TestMysql::data_path(const plugin::MysqlLogin& login) {
  const nlohmann::json json = {{"host", login.host},
                               {"port", login.port},
                               {"user", login.user},
                               {"password", login.password},
                               {"database", login.database}};
  return "mysql:" + json.dump();
}

plugin::MysqlSession::Result TestMysql::run(const std::string& sql) {
  plugin::MysqlSession session(login("administration"));
  session.connect();
  auto result = session.execute(sql);
  session.commit();
  return result;
}

std::string TestStore::data_path(const std::string&, const std::string& name) {
  const std::string database = database_of(name);
  const auto old = TestMysql::run("SELECT schema_name FROM information_schema.schemata WHERE schema_name LIKE '" +
                                  database + "\\_%'");
  for (const plugin::Row& row : old.rows) TestMysql::run("DROP DATABASE `" + plugin::text(row[0]) + "`");
  return TestMysql::data_path(TestMysql::login(database));
}

}  // namespace skald::plugins
