// What the SQLite store says when the disk fails it.
#include <filesystem>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "engine/store/sqlite/sqlite_store.h"
#include "tests/unit/store/failing_disk.h"
#include "tests/unit/store/store_contract.h"
#include "tests/unit/store/throwaway_file.h"

namespace skald::store {
namespace {

using Fault = FailingDisk::Fault;

class SqliteDisk : public testing::Test {
 protected:
  SqliteDisk() : store_(open(file_)), lease_(*store_->acquire(0, kSlots, "test")) {}

  static std::unique_ptr<Store> open(const ThrowawayFile& file) {
    SqliteOptions options;
    options.path = file.path();
    auto store = open_sqlite(options);
    EXPECT_TRUE(store.ok()) << store.status();
    return store.ok() ? *std::move(store) : nullptr;
  }
  Batch batch(const std::string& run) const {
    Batch batch;
    batch.id = "batch of " + run;
    batch.lease = lease_;
    batch.runs.push_back({run_key(run), 1, at(0), false, "state"});
    return batch;
  }
  static bool durable(Store& store, const std::string& run) {
    return wait_for<std::optional<RunRow>>([&](auto done) { store.read_run(run_key(run), std::move(done)); })
        ->has_value();
  }
  absl::StatusOr<bool> outcome(Store& store, const std::string& run) {
    return wait_for<bool>([&](auto done) { store.outcome_of(lease_, "batch of " + run, std::move(done)); });
  }
  // What a machine finds that comes up again: the files as they are now, under a new process.
  std::unique_ptr<Store> after_a_kill(const ThrowawayFile& copy) {
    std::filesystem::create_directories(copy.folder());
    for (const char* suffix : {"", "-wal"}) std::filesystem::copy_file(file_.path() + suffix, copy.path() + suffix);
    return open(copy);
  }

  FailingDisk disk_;
  ThrowawayFile file_;
  std::unique_ptr<Store> store_;
  Lease lease_;
};

TEST_F(SqliteDisk, AFlushThatFailsLeavesTheOutcomeUnknownUntilItIsAskedFor) {
  disk_.fail(Fault::kFlush);
  EXPECT_EQ(commit(*store_, batch("a")).code(), absl::StatusCode::kUnknown);
  EXPECT_EQ(outcome(*store_, "a").status().code(), absl::StatusCode::kUnavailable);
  disk_.fail(Fault::kNone);
  const auto durable_now = outcome(*store_, "a");
  ASSERT_TRUE(durable_now.ok()) << durable_now.status();
  EXPECT_EQ(*durable_now, durable(*store_, "a"));
}

TEST_F(SqliteDisk, TheOutcomeThatWasToldHoldsAfterAKill) {
  disk_.fail(Fault::kFlush);
  ASSERT_EQ(commit(*store_, batch("a")).code(), absl::StatusCode::kUnknown);
  const ThrowawayFile untold;
  EXPECT_TRUE(durable(*after_a_kill(untold), "a")) << "the log holds the whole commit: this is what makes it unknown";
  disk_.fail(Fault::kNone);
  ASSERT_FALSE(*outcome(*store_, "a"));
  const ThrowawayFile told;
  EXPECT_FALSE(durable(*after_a_kill(told), "a"));
}

TEST_F(SqliteDisk, TheWholeGroupIsUnknownButWhatWasRefused) {
  ASSERT_TRUE(commit(*store_, batch("before")).ok());
  disk_.fail(Fault::kFlush);
  std::vector<std::future<absl::Status>> answers;
  for (const char* run : {"a", "b", "c"}) {
    auto promise = std::make_shared<std::promise<absl::Status>>();
    answers.push_back(promise->get_future());
    Batch next = batch(run);
    if (run == std::string("b")) next.lease.epoch -= 1;
    store_->commit(std::move(next), [promise](absl::Status status) { promise->set_value(std::move(status)); });
  }
  EXPECT_EQ(answers[0].get().code(), absl::StatusCode::kUnknown);
  EXPECT_EQ(answers[1].get().code(), absl::StatusCode::kAborted);
  EXPECT_EQ(answers[2].get().code(), absl::StatusCode::kUnknown);
}

TEST_F(SqliteDisk, TheStoreGoesOnWhenTheDiskDoes) {
  for (const Fault fault : {Fault::kFlush, Fault::kWrite, Fault::kFull}) {
    disk_.fail(fault);
    EXPECT_FALSE(commit(*store_, batch("a")).ok());
    disk_.fail(Fault::kNone);
    EXPECT_FALSE(durable(*store_, "a"));
    const std::string next = "after " + std::to_string(static_cast<int>(fault));
    EXPECT_TRUE(commit(*store_, batch(next)).ok());
    EXPECT_TRUE(durable(*store_, next));
    EXPECT_TRUE(*outcome(*store_, next));
  }
  EXPECT_FALSE(durable(*store_, "a"));
}

TEST_F(SqliteDisk, AWriteThatFailsLeavesTheOutcomeUnknown) {
  disk_.fail(Fault::kWrite);
  EXPECT_EQ(commit(*store_, batch("a")).code(), absl::StatusCode::kUnknown);
}

TEST_F(SqliteDisk, AFullDiskHasCertainlyWrittenNothing) {
  disk_.fail(Fault::kFull);
  const absl::Status full = commit(*store_, batch("a"));
  EXPECT_EQ(full.code(), absl::StatusCode::kResourceExhausted) << full;
  EXPECT_THAT(full.ToString(), testing::HasSubstr("make room"));
  const ThrowawayFile copy;
  EXPECT_FALSE(durable(*after_a_kill(copy), "a"));
}

}  // namespace
}  // namespace skald::store
