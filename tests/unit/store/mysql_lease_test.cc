#include <csignal>
#include <future>
#include <vector>

#include "tests/unit/store/mysql_fault.h"
#include "tests/unit/store/mysql_holder_process.h"
#include "tests/unit/store/mysql_proxy.h"

// One database, several servers: who may write.
namespace skald::store {
namespace {

using absl::StatusCode;
using testing::AllOf;
using testing::HasSubstr;

class MysqlLease : public MysqlFault {
 protected:
  MysqlLease() { long_ttl_.lease_ttl = absl::Minutes(10); }

  void SetUp() override {
    second_ = another_store(options_);
    ASSERT_NE(second_, nullptr);
  }
  absl::StatusOr<Lease> take() { return second_->acquire(0, kSlots, "second"); }
  // Waits for the end of the lease that stands.
  Lease await_lease() {
    absl::StatusOr<Lease> lease;
    await("the lease", [&] {
      lease = take();
      EXPECT_TRUE(lease.ok() || absl::IsFailedPrecondition(lease.status()) || absl::IsUnavailable(lease.status()))
          << lease.status();
      return lease.ok();
    });
    return lease.ok() ? *lease : Lease();
  }

  MysqlOptions long_ttl_ = options_;
  std::unique_ptr<Store> second_;
};

TEST_F(MysqlLease, ARefusalNamesTheHolderAndTheTime) {
  open();
  const absl::Status refused = take().status();
  EXPECT_TRUE(absl::IsFailedPrecondition(refused)) << refused;
  const std::string until = witness().text("SELECT DATE_FORMAT(expires_at, '%Y-%m-%d %H:') FROM " + table("ownership"));
  EXPECT_THAT(refused.message(), AllOf(HasSubstr("test on "), HasSubstr("until " + until), HasSubstr("UTC"),
                                       HasSubstr(options_.address.database)));
  expect_work();
}

TEST_F(MysqlLease, ARefusalDoesNotWaitForTheHoldersTransaction) {
  open(long_ttl_);
  ASSERT_EQ(commit_run("a"), absl::OkStatus());
  Witness foreign(options_, false);
  foreign.run("UPDATE " + table("runs") + " SET status = 7 WHERE run_id = 'a'");
  Batch blocked = batch("b");
  blocked.runs.push_back({run_key("a"), 2, at(9), false, "new state"});
  auto done = begin_commit(blocked);
  await("a lock wait", [&] { return waiting_for_locks() > 0; });
  EXPECT_TRUE(absl::IsFailedPrecondition(take().status()));
  EXPECT_GT(waiting_for_locks(), 0);
  foreign.commit();
  EXPECT_EQ(done.get(), absl::OkStatus());
}

TEST_F(MysqlLease, IsReleasedWhenTheStoreIsClosed) {
  open(long_ttl_);
  const int64_t first = lease_.epoch;
  store_.reset();
  const auto lease = take();
  ASSERT_TRUE(lease.ok()) << lease.status();
  EXPECT_GT(lease->epoch, first);
}

TEST_F(MysqlLease, HalvesHaveTheirOwnersAndTheirEpochsGrow) {
  open(long_ttl_);
  int64_t newest = lease_.epoch;
  for (int i = 0; i < 5; ++i) {
    const auto lease = store_->acquire(0, kSlots / 2, "first");
    ASSERT_TRUE(lease.ok()) << lease.status();
    EXPECT_GT(lease->epoch, newest);
    const auto other = second_->acquire(kSlots / 2, kSlots, "second");
    ASSERT_TRUE(other.ok()) << other.status();
    EXPECT_GT(other->epoch, lease->epoch);
    newest = other->epoch;
    lease_ = *lease;
  }
  EXPECT_TRUE(absl::IsFailedPrecondition(take().status()));
  EXPECT_EQ(commit_run("a"), absl::OkStatus());
}

TEST_F(MysqlLease, IsTakenAtOnceFromAProcessThatHasEnded) {
  HolderProcess holder(options_, absl::Minutes(10));
  ASSERT_EQ(holder.begin(), "held");
  ASSERT_EQ(holder.ask("commit a"), "OK");
  ASSERT_TRUE(absl::IsFailedPrecondition(take().status()));
  holder.kill(/*reap=*/true);
  EXPECT_EQ(take().status(), absl::OkStatus());
}

TEST_F(MysqlLease, IsTakenAtOnceFromAProcessThatHasEndedAndIsNotReaped) {
  HolderProcess holder(options_, absl::Minutes(10));
  ASSERT_EQ(holder.begin(), "held");
  holder.kill(/*reap=*/false);
  EXPECT_EQ(take().status(), absl::OkStatus());
}

TEST_F(MysqlLease, IsTakenAtOnceFromAProcessThatClosedItsStore) {
  HolderProcess holder(options_, absl::Minutes(10));
  ASSERT_EQ(holder.begin(), "held");
  holder.close();
  EXPECT_EQ(take().status(), absl::OkStatus());
}

TEST_F(MysqlLease, IsNotTakenFromAStoppedProcessBeforeItsTime) {
  HolderProcess holder(options_, absl::Minutes(10));
  ASSERT_EQ(holder.begin(), "held");
  holder.signal(SIGSTOP);
  EXPECT_TRUE(absl::IsFailedPrecondition(take().status()));
  holder.signal(SIGCONT);
  EXPECT_EQ(holder.ask("commit a"), "OK");
}

TEST_F(MysqlLease, OfAProcessOnAnotherMachineStandsUntilItsTime) {
  HolderProcess holder(options_, absl::Minutes(10));
  ASSERT_EQ(holder.begin(), "held");
  witness().run("UPDATE " + table("ownership") + " SET process = CONCAT('other', process)");
  holder.kill(/*reap=*/true);
  EXPECT_TRUE(absl::IsFailedPrecondition(take().status()));
  witness().run("UPDATE " + table("ownership") + " SET expires_at = UTC_TIMESTAMP(6)");
  EXPECT_EQ(take().status(), absl::OkStatus());
}

TEST_F(MysqlLease, AProcessThatWasStoppedForTooLongCannotWriteAndHearsWhy) {
  HolderProcess holder(options_, absl::Seconds(1));
  ASSERT_EQ(holder.begin(), "held");
  ASSERT_EQ(holder.ask("commit a"), "OK");
  holder.signal(SIGSTOP);
  await_lease();
  holder.signal(SIGCONT);
  EXPECT_EQ(holder.ask("commit b"), "ABORTED");
  await("the news", [&] { return holder.ask("heard").find("ABORTED") != std::string::npos; });
  EXPECT_EQ(holder.ask("commit c"), "ABORTED");
  EXPECT_EQ(rows("a"), 1);
  EXPECT_EQ(rows("b") + rows("c"), 0);
}

TEST_F(MysqlLease, TheOldHoldersCommitsAreAbortedAndNameTheNewOne) {
  options_.lease_ttl = absl::Seconds(2);
  open();
  Lease lease;
  await("the lease", [&] {  // it is prolonged again and again
    witness().run("UPDATE " + table("ownership") + " SET expires_at = UTC_TIMESTAMP(6)");
    const auto taken = take();
    if (taken.ok()) lease = *taken;
    return taken.ok();
  });
  EXPECT_GT(lease.epoch, lease_.epoch);
  const Batch late = batch("a");
  const absl::Status status = commit(*store_, late);
  EXPECT_TRUE(absl::IsAborted(status)) << status;
  EXPECT_THAT(status.message(), HasSubstr("second on "));
  EXPECT_TRUE(absl::IsAborted(outcome(late.id).status()));
  EXPECT_EQ(rows("a"), 0);
  await("the news", [&] { return heard_.has(StatusCode::kAborted); });
  store_.reset();  // and its end takes nothing away from the new holder
  std::swap(store_, second_);
  lease_ = lease;
  expect_work();
  second_ = another_store(options_);
  EXPECT_TRUE(absl::IsFailedPrecondition(take().status()));
}

TEST_F(MysqlLease, AHolderPausedWithinATransactionDoesNotKeepTheNextOneAway) {
  MysqlProxy proxy(options_.address.host, options_.address.port);
  MysqlOptions paused = options_;
  paused.address.port = proxy.port();
  paused.lease_ttl = absl::Seconds(2);
  open(paused);
  proxy.at_commit(AtCommit::kHold);
  std::future<absl::Status> done = begin_commit(batch("a"));
  await("a commit", [&] { return proxy.happened(); });
  const Lease lease = await_lease();
  EXPECT_GT(lease.epoch, lease_.epoch);
  proxy.release();
  const absl::Status status = done.get();
  // The keeper's own commit may be the one that is held.
  EXPECT_TRUE(absl::IsUnknown(status) || absl::IsAborted(status) || absl::IsUnavailable(status)) << status;
  await("the news", [&] { return heard_.has(StatusCode::kAborted); });
  EXPECT_EQ(rows("a"), 0);
  EXPECT_TRUE(absl::IsAborted(commit_run("b")));
  EXPECT_EQ(rows("b"), 0);
}

TEST_F(MysqlLease, OneOfManyThatRaceForAnEmptyDatabaseWins) {
  constexpr int kStores = 4;
  const MysqlOptions empty = fresh_database(shared_mariadb());
  std::vector<std::future<std::pair<std::unique_ptr<Store>, absl::StatusOr<Lease>>>> races;
  for (int i = 0; i < kStores; ++i) {
    races.push_back(std::async(std::launch::async, [&] {
      std::pair<std::unique_ptr<Store>, absl::StatusOr<Lease>> end = {another_store(empty), Lease()};
      if (end.first != nullptr) end.second = end.first->acquire(0, kSlots, "racer");
      return end;
    }));
  }
  int won = 0;
  std::vector<std::unique_ptr<Store>> stores;
  for (auto& race : races) {
    auto [store, lease] = race.get();
    stores.push_back(std::move(store));
    if (lease.ok()) ++won;
    EXPECT_TRUE(lease.ok() || absl::IsFailedPrecondition(lease.status())) << lease.status();
  }
  EXPECT_EQ(won, 1);
}

}  // namespace
}  // namespace skald::store
