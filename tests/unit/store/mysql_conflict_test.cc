#include "tests/unit/store/mysql_fault.h"

// Conflicts with other transactions, and connections that the server ends: what is undone is done again.
namespace skald::store {
namespace {

TEST_F(MysqlFault, ADeadlocksVictimIsRepeatedAndDoneOnce) {
  open();
  Batch both = batch("b");  // deletes come first: the message is locked before the run
  both.outbox_done = {"message-a"};
  ASSERT_EQ(commit_run("a"), absl::OkStatus());
  both.runs.insert(both.runs.begin(), {run_key("a"), 2, at(9), false, "new state"});
  const int64_t deadlocks = witness().status("Innodb_deadlocks");
  Witness foreign(options_, false);
  foreign.run("UPDATE " + table("runs") + " SET status = 7 WHERE run_id = 'a'");
  // The lighter one is the victim.
  std::string weight = "INSERT INTO " + table("settings") + " VALUES ('weight', '')";
  for (int i = 0; i < 1'000; ++i) weight += ", ('weight-" + std::to_string(i) + "', '')";
  foreign.run(weight);
  auto done = begin_commit(std::move(both));
  await("a lock wait", [&] { return waiting_for_locks() > 0; });
  foreign.run("UPDATE " + table("outbox") + " SET slot = slot WHERE id = 'message-a'");
  foreign.commit();

  EXPECT_EQ(done.get(), absl::OkStatus());
  EXPECT_EQ(witness().status("Innodb_deadlocks"), deadlocks + 1);
  EXPECT_EQ(rows("b"), kWhole);
  EXPECT_EQ(rows("a"), kWhole - 1);  // without its message
  EXPECT_EQ(witness().text("SELECT state FROM " + table("runs") + " WHERE run_id = 'a'"), "new state");
  EXPECT_TRUE(heard_.codes().empty());
}

TEST_F(MysqlFault, AnswersUnavailableWhenALockIsNotLetGo) {
  options_.lock_wait = absl::Seconds(1);
  options_.lease_ttl = absl::Seconds(2);  // prolonged while the batch waits with the lease's row locked
  open();
  ASSERT_EQ(commit_run("a"), absl::OkStatus());
  Batch update = batch("b");
  update.runs.push_back({run_key("a"), 2, at(9), false, "new state"});
  Witness foreign(options_, false);
  foreign.run("UPDATE " + table("runs") + " SET status = 7 WHERE run_id = 'a'");

  const absl::Status refused = commit(*store_, update);
  EXPECT_TRUE(absl::IsUnavailable(refused)) << refused;
  EXPECT_EQ(rows("b"), 0);
  EXPECT_FALSE(*outcome(update.id));
  foreign.commit();
  EXPECT_EQ(commit(*store_, update), absl::OkStatus());
  EXPECT_EQ(rows("b"), kWhole);
  EXPECT_TRUE(heard_.codes().empty()) << "a lock is no absence of the database";
}

TEST_F(MysqlFault, RepeatsABatchWhoseConnectionIsKilledBeforeCommit) {
  open();
  ASSERT_EQ(commit_run("a"), absl::OkStatus());
  Batch update = batch("b");
  update.visibility.push_back(visibility_row("a", 0, 2));
  Witness foreign(options_, false);
  foreign.run("UPDATE " + table("visibility") + " SET status = 7 WHERE run_id = 'a'");
  auto done = begin_commit(update);
  await("a lock wait", [&] { return waiting_for_locks() > 0; });
  const std::string first = busy_connection();
  witness().run("KILL " + first);
  await("the next attempt", [&] {
    const std::string now = busy_connection();
    return !now.empty() && now != first && waiting_for_locks() > 0;
  });
  foreign.commit();

  EXPECT_EQ(done.get(), absl::OkStatus());
  EXPECT_EQ(rows("b"), kWhole);
  EXPECT_TRUE(*outcome(update.id));
}

TEST_F(MysqlFault, GoesOnWhenIdleConnectionsWereKilled) {
  open();
  ASSERT_EQ(commit_run("a"), absl::OkStatus());
  ASSERT_EQ(read("a"), absl::OkStatus());
  kill_connections();
  await("the connections' end", [&] { return connections() == 0; });

  EXPECT_EQ(commit_run("b"), absl::OkStatus());
  EXPECT_EQ(read("b"), absl::OkStatus());
  EXPECT_EQ(rows("b"), kWhole);
  EXPECT_EQ(store_->put_setting("name", "value"), absl::OkStatus());
  EXPECT_TRUE(heard_.codes().empty());
}

TEST_F(MysqlFault, ReleasesItsLeaseOverANewConnectionIfTheOldOneWasKilled) {
  open();
  kill_connections();
  await("the connections' end", [&] { return connections() == 0; });
  store_.reset();
  EXPECT_EQ(witness().number("SELECT expires_at <= UTC_TIMESTAMP(6) FROM " + table("ownership")), 1);
}

}  // namespace
}  // namespace skald::store
