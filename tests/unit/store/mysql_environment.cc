#include "tests/unit/store/mysql_environment.h"

#include <gtest/gtest.h>

namespace skald::store {
namespace {

// Destroyed before the process ends, with its folder.
class MariadbEnvironment : public testing::Environment {
 public:
  void SetUp() override {
    const absl::Status started = server.start();
    ASSERT_TRUE(started.ok()) << started;
  }
  void TearDown() override { EXPECT_TRUE(server.stop().ok()); }

  samples::PrivateMariadb server;
};

auto* const environment = static_cast<MariadbEnvironment*>(testing::AddGlobalTestEnvironment(new MariadbEnvironment));

}  // namespace

samples::PrivateMariadb& shared_mariadb() { return environment->server; }

MysqlOptions fresh_database(const samples::PrivateMariadb& server) {
  static int databases = 0;
  MysqlOptions options;
  options.address.host = server.address().host;
  options.address.port = server.address().port;
  options.address.user = server.address().user;
  options.address.password = server.address().password;
  options.address.database = "test_" + std::to_string(++databases);
  return options;
}

}  // namespace skald::store
