#include "tests/unit/store/mysql_fault.h"
#include "tests/unit/store/mysql_proxy.h"

// COMMIT is sent and its answer never comes.
namespace skald::store {
namespace {

class MysqlLostCommit : public MysqlFault {
 protected:
  MysqlLostCommit() : proxy_(options_.address.host, options_.address.port) {
    options_.lease_ttl = absl::Minutes(10);  // nobody else commits meanwhile
    through_proxy_ = options_;
    through_proxy_.address.port = proxy_.port();
  }
  // UNKNOWN, after the proxy did what it was told.
  void expect_unknown(const Batch& batch, AtCommit what) {
    proxy_.at_commit(what);
    const absl::Status status = commit(*store_, batch);
    EXPECT_TRUE(absl::IsUnknown(status)) << status;
    EXPECT_TRUE(proxy_.happened());
  }

  MysqlProxy proxy_;
  MysqlOptions through_proxy_;
};

TEST_F(MysqlLostCommit, IsNotDurableIfTheServerNeverSawIt) {
  open(through_proxy_);
  const Batch lost = batch("a");
  expect_unknown(lost, AtCommit::kCutBefore);
  EXPECT_EQ(outcome(lost.id), absl::StatusOr<bool>(false));
  EXPECT_EQ(rows("a"), 0);
  EXPECT_EQ(commit(*store_, lost), absl::OkStatus());
  EXPECT_EQ(rows("a"), kWhole);
}

TEST_F(MysqlLostCommit, IsDurableIfTheServerAnsweredIt) {
  open(through_proxy_);
  const Batch done = batch("a");
  expect_unknown(done, AtCommit::kCutAfter);
  EXPECT_EQ(outcome(done.id), absl::StatusOr<bool>(true));
  EXPECT_EQ(rows("a"), kWhole);
  EXPECT_EQ(outcome("another batch"), absl::StatusOr<bool>(false));
  expect_work();
}

TEST_F(MysqlLostCommit, WaitsForATransactionThatIsStillOpenBeforeItTells) {
  open(through_proxy_);
  const Batch stranded = batch("a");
  expect_unknown(stranded, AtCommit::kStrand);
  EXPECT_EQ(rows("a"), 0);
  std::future<absl::StatusOr<bool>> told = std::async(std::launch::async, [&] { return outcome(stranded.id); });
  await("a lock wait", [&] { return waiting_for_locks() > 0; });
  proxy_.deliver();  // the COMMIT comes late, but it comes
  EXPECT_EQ(told.get(), absl::StatusOr<bool>(true));
  EXPECT_EQ(rows("a"), kWhole);
  expect_work();
}

TEST_F(MysqlLostCommit, TellsNothingWhileTheOldTransactionStaysOpen) {
  through_proxy_.lock_wait = absl::Seconds(1);
  open(through_proxy_);
  const Batch stranded = batch("a");
  expect_unknown(stranded, AtCommit::kStrand);
  const auto told = outcome(stranded.id);
  EXPECT_TRUE(absl::IsUnavailable(told.status())) << told.status();
  // What the server does itself with a connection that was silent for as long as the lease.
  kill_connections("command = 'Sleep' AND id IN (SELECT trx_mysql_thread_id FROM information_schema.innodb_trx)");
  absl::StatusOr<bool> outcome_now;
  await("an outcome", [&] { return (outcome_now = outcome(stranded.id)).ok(); });
  EXPECT_EQ(outcome_now, absl::StatusOr<bool>(false));
  EXPECT_EQ(rows("a"), 0);
  EXPECT_EQ(commit(*store_, stranded), absl::OkStatus());
  EXPECT_EQ(rows("a"), kWhole);
}

TEST_F(MysqlLostCommit, TheServerItselfEndsATransactionThatIsNotHeardOf) {
  through_proxy_.lease_ttl = absl::Seconds(1);
  through_proxy_.lock_wait = absl::Seconds(1);
  open(through_proxy_);
  const Batch stranded = batch("a");
  proxy_.at_commit(AtCommit::kStrand);
  // The lease is prolonged by a COMMIT too: whosever it is that strands.
  await("a stranded commit", [&] {
    const absl::Status status = commit(*store_, stranded);
    EXPECT_TRUE(status.ok() || absl::IsUnknown(status) || absl::IsUnavailable(status)) << status;
    return proxy_.happened();
  });
  await("work", [&] {
    Batch next = batch("after");
    next.history.clear();
    return commit(*store_, next).ok();
  });
  EXPECT_EQ(read("after"), absl::OkStatus());
}

}  // namespace
}  // namespace skald::store
