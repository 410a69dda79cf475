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

nlohmann::json login_of(const plugins::IsolationOptions& options, const std::string& plugin) {
  const auto path = options.data_path(plugin);
  if (!path.ok()) return std::string(path.status().message());
  return path->empty() ? nlohmann::json("none") : nlohmann::json::parse(path->substr(6));
}

TEST(PluginIsolation, NeverGivesTheEnginesLogin) {
  const StoreOptions engine{.store = "mysql://shop:hunter2@db/skald"};
  const auto none = isolation_options(&engine, engine, {});
  ASSERT_TRUE(none.ok()) << none.status();
  EXPECT_EQ(login_of(*none, "erp"), "none");
  const StoreOptions same{.store = "mysql://shop:hunter2@db/books"};
  EXPECT_EQ(login_of(*isolation_options(&engine, same, {}), "erp"), "none");
  const StoreOptions other{.store = "mysql://clerk:pen@db/books"};
  EXPECT_EQ(login_of(*isolation_options(&engine, other, {}), "erp")["user"], "clerk");
  EXPECT_EQ(login_of(*isolation_options(nullptr, other, {}), "erp")["user"], "clerk");
}

TEST(PluginIsolation, HasALoginForEachPlugin) {
  const StoreOptions engine{.store = "mysql://shop:hunter2@db/skald?tls=true&tls-cert=c.pem&tls-key=k.pem"};
  setenv("SKALD_PASSWORD_OF_erp", "own", 1);
  const auto options = isolation_options(
      &engine, engine, {.store_user = "skald_{plugin}", .password_reference = "env:SKALD_PASSWORD_OF_{plugin}"});
  ASSERT_TRUE(options.ok()) << options.status();
  const auto login = login_of(*options, "erp");
  EXPECT_EQ(login["user"], "skald_erp");
  EXPECT_EQ(login["password"], "own");
  EXPECT_EQ(login["database"], "skald");
  EXPECT_EQ(login["tls"], true);
  EXPECT_FALSE(login.contains("tls_key")) << "a certificate is a login too";
  EXPECT_THAT(login_of(*options, "llm").get<std::string>(), HasSubstr("--plugin-store-user-password: "));
  const auto without = isolation_options(&engine, engine, {.store_user = "plugins"});
  EXPECT_EQ(login_of(*without, "erp")["password"], "");
}

TEST(PluginIsolation, HidesTheEnginesFilesAndPasswords) {
  const StoreOptions engine{.store = "sqlite:data/skald.sqlite"};
  EXPECT_THAT(isolation_options(&engine, engine, {})->hidden, testing::Contains("data/skald.sqlite"));
  const auto hidden = isolation_options(&engine, {.store = "mysql://clerk@db/books", .password_reference = "file:/no/clerk"}, {});
  EXPECT_THAT(problem(hidden.status()), HasSubstr("/no/clerk"));  // it cannot even be read
}

TEST(PluginIsolation, RefusesALoginWithoutADatabase) {
  const StoreOptions engine{.store = "sqlite:skald.sqlite"};
  EXPECT_THAT(problem(isolation_options(&engine, engine, {.store_user = "erp"}).status()),
              HasSubstr("the plugins' store is none"));
  const StoreOptions database{.store = "mysql://shop@db/skald"};
  EXPECT_THAT(problem(isolation_options(&database, database, {.password_reference = "env:X"}).status()),
              HasSubstr("needs --plugin-store-user"));
}

}  // namespace
}  // namespace skald::server
