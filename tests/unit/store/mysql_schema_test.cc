#include <future>
#include <vector>

#include "tests/unit/store/mysql_fault.h"

// Opening: what is in the database already, and who asks.
namespace skald::store {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class MysqlOpen : public MysqlFault {
 protected:
  void make_database() { witness().run("CREATE DATABASE `" + options_.address.database + "`"); }
  int64_t tables() {
    return witness().number("SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = '" +
                            options_.address.database + "'");
  }
  absl::Status opened() { return open_mysql(options_).status(); }
};

TEST_F(MysqlOpen, RefusesANewerSchema) {
  open();
  store_.reset();
  witness().run("UPDATE " + table("settings") + " SET value = '99' WHERE name = 'schema_version'");
  const absl::Status refused = opened();
  EXPECT_TRUE(absl::IsFailedPrecondition(refused)) << refused;
  EXPECT_THAT(refused.message(), AllOf(HasSubstr("99"), HasSubstr(options_.address.database)));
  EXPECT_EQ(witness().text("SELECT value FROM " + table("settings") + " WHERE name = 'schema_version'"), "99");
}

TEST_F(MysqlOpen, LeavesTablesOfOthersAlone) {
  make_database();
  witness().run("CREATE TABLE " + table("customers") + " (id INT)");
  const absl::Status refused = opened();
  EXPECT_TRUE(absl::IsDataLoss(refused)) << refused;
  EXPECT_THAT(refused.message(), HasSubstr("name another"));
  EXPECT_EQ(tables(), 1);
}

TEST_F(MysqlOpen, LeavesTablesOfOthersAloneThatHaveSettingsToo) {
  make_database();
  witness().run("CREATE TABLE " + table("settings") + " (name VARCHAR(20), value VARCHAR(20))");
  witness().run("CREATE TABLE " + table("customers") + " (id INT)");
  const absl::Status refused = opened();
  EXPECT_TRUE(absl::IsDataLoss(refused)) << refused;
  EXPECT_EQ(tables(), 2);
  EXPECT_EQ(witness().number("SELECT COUNT(*) FROM " + table("settings")), 0);
}

TEST_F(MysqlOpen, LeavesSettingsOfAnotherShapeAlone) {
  make_database();
  witness().run("CREATE TABLE " + table("settings") + " (id INT, theme VARCHAR(20))");
  const absl::Status refused = opened();
  EXPECT_TRUE(absl::IsDataLoss(refused)) << refused;
  EXPECT_EQ(tables(), 1);
}

TEST_F(MysqlOpen, GoesOnWithTablesThatWereMadeInPart) {
  open();
  store_.reset();
  witness().run("DELETE FROM " + table("settings"));
  witness().run("DROP VIEW " + table("owners"));
  witness().run("DROP TABLE " + table("search_attributes"));
  open();
  expect_work();
}

TEST_F(MysqlOpen, ManyMayOpenAnEmptyDatabaseAtOnce) {
  constexpr int kStores = 4;
  std::vector<std::future<absl::StatusOr<std::unique_ptr<Store>>>> opening;
  for (int i = 0; i < kStores; ++i) {
    opening.push_back(std::async(std::launch::async, [&] { return open_mysql(options_); }));
  }
  for (auto& one : opening) {
    const auto store = one.get();
    ASSERT_TRUE(store.ok()) << store.status();
    EXPECT_EQ((*store)->put_setting("name", "value"), absl::OkStatus());
  }
  open();
  expect_work();
}

TEST_F(MysqlOpen, ViewsShowRunsAndOwnersAsText) {
  open();
  ASSERT_EQ(store_->put_namespace({"ns", "shop", "record"}), absl::OkStatus());
  Batch two = batch("a");
  two.visibility.push_back(visibility_row("b", 60, 2));
  two.visibility.back().key.workflow_id = "workflow-\xC3\xA4";
  two.visibility.back().close_time = at(61) + absl::Microseconds(5);
  ASSERT_EQ(commit(*store_, two), absl::OkStatus());
  const std::string line =
      "SELECT CONCAT_WS('|', namespace, workflow_id, run_id, workflow_type, task_queue, status, start_time, "
      "close_time, "
      "history_length) FROM " +
      table("workflows");
  EXPECT_EQ(witness().text(line + " WHERE status = 'Running'"),
            "shop|workflow-a|a|Order|orders|Running|2023-11-14 22:13:20.000000|0");
  EXPECT_EQ(witness().text(line + " WHERE status = 'Completed'"),
            "shop|workflow-\xC3\xA4|b|Order|orders|Completed|2023-11-14 22:14:20.000000|2023-11-14 22:14:21.000005|0");
  EXPECT_THAT(witness().text("SELECT CONCAT_WS('|', first_slot, last_slot, epoch, holder) FROM " + table("owners")),
              testing::StartsWith("0|4096|1|test on "));
  EXPECT_EQ(witness().number("SELECT expires_at > UTC_TIMESTAMP() FROM " + table("owners")), 1);
}

TEST_F(MysqlOpen, SaysThatThePasswordIsWrongWithoutTellingIt) {
  options_.address.password = "wrong-secret";
  const absl::Status refused = opened();
  EXPECT_TRUE(absl::IsPermissionDenied(refused)) << refused;
  EXPECT_THAT(refused.message(), AllOf(HasSubstr("skald@127.0.0.1"), HasSubstr("password"), Not(HasSubstr("secret"))));
}

TEST_F(MysqlOpen, SaysThatThereIsNoSuchHost) {
  options_.address.host = "no-such-host.invalid";
  const absl::Status refused = opened();
  EXPECT_TRUE(absl::IsUnavailable(refused)) << refused;
  EXPECT_THAT(refused.message(), AllOf(HasSubstr("no-such-host.invalid"), Not(HasSubstr(options_.address.password))));
}

TEST_F(MysqlOpen, SaysThatTheUserHasNoRightToTheDatabase) {
  MysqlOptions plain = as_plain_user(options_);
  plain.address.database += "_of_others";
  const absl::Status refused = open_mysql(plain).status();
  EXPECT_TRUE(absl::IsPermissionDenied(refused)) << refused;
  EXPECT_THAT(refused.message(), AllOf(HasSubstr(plain.address.database), HasSubstr("privileges")));
}

TEST_F(MysqlOpen, SaysThatTheUserMayNotWrite) {
  open();
  store_.reset();
  MysqlOptions reader = as_plain_user(options_);
  witness().run("REVOKE INSERT, UPDATE, DELETE ON `" + options_.address.database + "`.* FROM '" + reader.address.user +
                "'@'" + reader.address.host + "'");
  auto store = open_mysql(reader);
  ASSERT_TRUE(store.ok()) << store.status();
  const absl::Status refused = (*store)->acquire(0, kSlots, "reader").status();
  EXPECT_TRUE(absl::IsPermissionDenied(refused)) << refused;
}

TEST_F(MysqlOpen, NeedsNoRightToMakeTablesThatAreThere) {
  open();
  store_.reset();
  MysqlOptions writer = as_plain_user(options_);
  witness().run("REVOKE CREATE, DROP, CREATE VIEW ON `" + options_.address.database + "`.* FROM '" +
                writer.address.user + "'@'" + writer.address.host + "'");
  open(writer);
  expect_work();
}

}  // namespace
}  // namespace skald::store
