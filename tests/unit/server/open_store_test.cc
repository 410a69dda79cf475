#include "engine/server/open_store.h"

#include <cstdlib>
#include <string>

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

namespace skald::server {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

std::string problem(const absl::Status& status) { return std::string(status.message()); }

TEST(OpenStore, RefusesWhatIsNoStore) {
  for (const char* text :
       {"", "postgres://x", "/var/lib/skald.sqlite", "sqlite:", "mysql:x", "mysql://", "mysql://user@host"}) {
    const absl::Status status = open_store({.store = text}).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_THAT(problem(status), HasSubstr("write ")) << text;
  }
}

TEST(OpenStore, RepeatsNothingThatMayHoldAPassword) {
  for (const char* text :
       {"mariadb://shop:hunter2@db/skald", "MySQL://shop:hunter2@db/skald", "mysql//shop:hunter2@db"}) {
    EXPECT_THAT(problem(open_store({.store = text}).status()), Not(HasSubstr("hunter2"))) << text;
    EXPECT_THAT(problem(plugin_data_path({.store = text}).status()), Not(HasSubstr("hunter2"))) << text;
  }
}

TEST(OpenStore, TakesThePasswordFromItsReference) {
  setenv("SKALD_STORE_TEST", "from outside", 1);
  const auto address =
      mysql_address({.store = "mysql://shop@db:3307/skald", .password_reference = "env:SKALD_STORE_TEST"});
  ASSERT_TRUE(address.ok()) << address.status();
  EXPECT_EQ(address->password, "from outside");
  EXPECT_EQ(address->port, 3307);
}

TEST(OpenStore, RefusesAPasswordThatIsGivenTwice) {
  const auto address =
      mysql_address({.store = "mysql://shop:inside@db/skald", .password_reference = "env:SKALD_STORE_TEST"});
  EXPECT_EQ(address.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(problem(address.status()), Not(HasSubstr("inside@")));
}

TEST(OpenStore, SaysWhereTheStoreIsWithoutItsPassword) {
  EXPECT_EQ(store_text({.store = "sqlite:a.sqlite"}), "sqlite:a.sqlite");
  EXPECT_EQ(store_text({.store = "mysql://shop:hunter2@db/skald"}), "mysql://shop@db:3306/skald");
  EXPECT_THAT(store_text({.store = "mysql://shop:hunter2@db"}), Not(HasSubstr("hunter2")));
}

TEST(PluginStore, LiesBesideTheEnginesFileOrInItsDatabase) {
  EXPECT_EQ(*plugin_data_path({.store = "sqlite:skald.sqlite"}, ".plugins"), "skald.sqlite.plugins");
  const auto path = plugin_data_path({.store = "mysql://shop:p%22w@db/skald?tls=true"}, ".plugins");
  ASSERT_TRUE(path.ok()) << path.status();
  ASSERT_THAT(*path, StartsWith("mysql:"));
  const auto fields = nlohmann::json::parse(path->substr(6));
  EXPECT_EQ(fields["host"], "db");
  EXPECT_EQ(fields["password"], "p\"w");
  EXPECT_EQ(fields["database"], "skald");
  EXPECT_EQ(fields["tls"], true);
}

}  // namespace
}  // namespace skald::server
