#include "engine/store/memory/memory_store.h"

#include <array>
#include <atomic>
#include <deque>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "engine/base/simulated.h"
#include "engine/base/thread_executor.h"
#include "tests/unit/store/store_contract.h"

namespace skald::store {
namespace {

using testing::AnyOf;
using testing::ElementsAre;
using testing::IsEmpty;

std::unique_ptr<Store> threaded_store(const FaultOptions& faults) {
  static const base::SystemClock clock;
  static std::deque<base::ThreadExecutor> executors;  // they go when the process ends
  base::Executor& executor = executors.emplace_back("store-test", clock);
  return std::make_unique<MemoryStore>(std::make_shared<MemoryDisk>(), executor, clock, base::make_seeded_random(1),
                                       faults);
}

FaultOptions delays(absl::Duration longest) {
  FaultOptions faults;
  faults.max_commit_delay = faults.max_read_delay = longest;
  return faults;
}

INSTANTIATE_TEST_SUITE_P(Memory, StoreContract,
                         testing::Values(StoreFactory{"at once", [] { return threaded_store({}); }},
                                         StoreFactory{"with delays",
                                                      [] { return threaded_store(delays(absl::Microseconds(50))); }}));

// One disk under stores that come and go, in virtual time.
class MemoryStoreFaults : public testing::Test {
 protected:
  void open(const FaultOptions& faults = {}, uint64_t seed = 1) {
    store_ = std::make_unique<MemoryStore>(disk_, *executor_, world_.clock(), base::make_seeded_random(seed), faults);
    lease_ = *store_->acquire(0, kSlots, "test");
  }
  void kill_and_open(const FaultOptions& faults = {}) {
    store_->crash();
    world_.drop(*executor_);
    open(faults);
  }
  Batch batch(const std::string& run) {
    Batch batch;
    batch.id = "batch of " + run;
    batch.lease = lease_;
    batch.runs.push_back({run_key(run), 1, at(0), false, "state"});
    batch.history.push_back({run_key(run), {1, 2, "12"}});
    return batch;
  }
  void commit_later(const std::string& run) {
    store_->commit(batch(run), [this, run](const absl::Status& status) { answers_.emplace_back(run, status.code()); });
  }
  absl::StatusCode commit(const std::string& run) {
    std::optional<absl::StatusCode> code;
    store_->commit(batch(run), [&code](const absl::Status& status) { code = status.code(); });
    while (!code.has_value() && world_.step()) {
    }
    return code.value_or(absl::StatusCode::kDeadlineExceeded);
  }
  absl::StatusOr<bool> outcome(const std::string& run) {
    absl::StatusOr<bool> result = absl::DeadlineExceededError("no answer");
    bool answered = false;
    store_->outcome_of(lease_, "batch of " + run, [&](absl::StatusOr<bool> is) {
      result = std::move(is);
      answered = true;
    });
    while (!answered && world_.step()) {
    }
    return result;
  }
  // Both rows of a batch or none: anything else is a torn batch.
  bool durable(const std::string& run) {
    return disk_->with([&](const Tables& tables) {
      const bool row = tables.run(run_key(run)).has_value();
      EXPECT_EQ(row, !tables.history(run_key(run), 1, 10, 1'000).empty()) << "half of the batch of " << run;
      return row;
    });
  }
  void run_all() {
    while (world_.step()) {
    }
  }

  base::SimulatedWorld world_;
  std::unique_ptr<base::Executor> executor_ = world_.make_executor();
  std::shared_ptr<MemoryDisk> disk_ = std::make_shared<MemoryDisk>();
  std::unique_ptr<MemoryStore> store_;
  Lease lease_;
  std::vector<std::pair<std::string, absl::StatusCode>> answers_;
};

FaultOptions always(double FaultOptions::*fault) {
  FaultOptions faults;
  faults.*fault = 1;
  return faults;
}

TEST_F(MemoryStoreFaults, NothingIsAnsweredFromWithinACall) {
  open();
  commit_later("a");
  EXPECT_THAT(answers_, IsEmpty());
  run_all();
  EXPECT_THAT(answers_, ElementsAre(std::pair("a", absl::StatusCode::kOk)));
}

TEST_F(MemoryStoreFaults, AnswersTakeVirtualTimeUpToTheGivenDelay) {
  open(delays(absl::Seconds(10)));
  const absl::Time before = world_.clock().now();
  EXPECT_EQ(commit("a"), absl::StatusCode::kOk);
  const absl::Duration taken = world_.clock().now() - before;
  EXPECT_GT(taken, absl::ZeroDuration());
  EXPECT_LE(taken, absl::Seconds(20));  // to become durable, and to be told
}

TEST_F(MemoryStoreFaults, AFailedCommitWritesNothingAndTheNextOneGoesThrough) {
  open(always(&FaultOptions::fail_before_commit));
  EXPECT_THAT(commit("a"), AnyOf(absl::StatusCode::kUnavailable, absl::StatusCode::kResourceExhausted));
  EXPECT_FALSE(durable("a"));
  EXPECT_FALSE(*outcome("a"));
  store_->set_faults({});
  EXPECT_EQ(commit("a"), absl::StatusCode::kOk);
}

TEST_F(MemoryStoreFaults, AnUnknownOutcomeIsToldApartByAsking) {
  open(always(&FaultOptions::unknown_outcome_committed));
  EXPECT_EQ(commit("written"), absl::StatusCode::kUnknown);
  EXPECT_TRUE(durable("written"));
  EXPECT_TRUE(*outcome("written"));
  store_->set_faults(always(&FaultOptions::unknown_outcome_lost));
  EXPECT_EQ(commit("lost"), absl::StatusCode::kUnknown);
  EXPECT_FALSE(durable("lost"));
  EXPECT_FALSE(*outcome("lost"));
  EXPECT_TRUE(*outcome("written"));
}

TEST_F(MemoryStoreFaults, ARefusedBatchIsRefusedWhateverBecomesOfItsGroup) {
  open();
  ASSERT_EQ(commit("a"), absl::StatusCode::kOk);
  store_->set_faults(always(&FaultOptions::unknown_outcome_committed));
  EXPECT_EQ(commit("a"), absl::StatusCode::kInternal);
}

TEST_F(MemoryStoreFaults, EveryReadMayFail) {
  open(always(&FaultOptions::read_failure));
  ASSERT_EQ(commit("a"), absl::StatusCode::kOk);
  EXPECT_EQ(outcome("a").status().code(), absl::StatusCode::kUnavailable);
  std::vector<absl::StatusCode> codes;
  const auto keep = [&codes](const auto& result) { codes.push_back(result.status().code()); };
  store_->read_run(run_key("a"), keep);
  store_->read_current(run_key("a").workflow(), keep);
  store_->read_history(run_key("a"), 1, 2, 100, keep);
  store_->read_history_reverse(run_key("a"), 2, 100, keep);
  store_->scan_wake(lease_, at(1), "", 10, keep);
  store_->scan_work(lease_, "", 10, keep);
  store_->scan_outbox(lease_, "", 10, keep);
  store_->list({"ns", {}, false}, 10, "", keep);
  store_->count({"ns", {}, false}, keep);
  run_all();
  EXPECT_EQ(codes, std::vector(9, absl::StatusCode::kUnavailable));
}

TEST_F(MemoryStoreFaults, WhatWasAcknowledgedSurvivesACrash) {
  open();
  ASSERT_EQ(commit("a"), absl::StatusCode::kOk);
  ASSERT_TRUE(store_->put_setting("cluster", "one").ok());
  ASSERT_TRUE(store_->put_namespace({"1", "orders", ""}).ok());
  const Lease before = lease_;
  kill_and_open();
  EXPECT_TRUE(durable("a"));
  EXPECT_EQ(*store_->get_setting("cluster"), "one");
  EXPECT_EQ(store_->namespaces()->size(), 1u);
  EXPECT_GT(lease_.epoch, before.epoch);
}

TEST_F(MemoryStoreFaults, TheOutcomeOfABatchOutlivesTheStoreUntilSomebodyTakesTheLease) {
  open(always(&FaultOptions::unknown_outcome_committed));
  ASSERT_EQ(commit("a"), absl::StatusCode::kUnknown);
  store_->crash();
  store_ = std::make_unique<MemoryStore>(disk_, *executor_, world_.clock(), base::make_seeded_random(1));
  EXPECT_TRUE(*outcome("a"));
  ASSERT_TRUE(store_->acquire(0, kSlots, "next").ok());
  EXPECT_EQ(outcome("a").status().code(), absl::StatusCode::kAborted);
}

TEST_F(MemoryStoreFaults, NothingIsAnsweredAfterACrash) {
  open();
  commit_later("a");
  bool read = false;
  store_->read_run(run_key("a"), [&read](const auto&) { read = true; });
  store_->crash();
  commit_later("b");
  run_all();
  EXPECT_THAT(answers_, IsEmpty());
  EXPECT_FALSE(read);
  EXPECT_FALSE(durable("b"));
  EXPECT_EQ(store_->acquire(0, kSlots, "test").status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(store_->put_setting("a", "b").code(), absl::StatusCode::kUnavailable);
  store_.reset();
  EXPECT_THAT(answers_, IsEmpty());
}

// Kills after every number of steps, under many seeds: acknowledged batches stay, the others come whole or not at all,
// and of one lease's batches only a tail is lost.
TEST_F(MemoryStoreFaults, ACrashAtAnyStepLosesOnlyAnUnacknowledgedTail) {
  std::set<int> lost_after_writing;
  std::set<bool> unacknowledged_but_durable;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    for (int steps = 0; steps < 12; ++steps) {
      disk_ = std::make_shared<MemoryDisk>();
      answers_.clear();
      open({}, seed);
      commit_later("0");
      world_.step();  // its group is taken
      for (int i = 1; i < 5; ++i) commit_later(std::to_string(i));
      for (int i = 0; i < steps; ++i) world_.step();
      store_->crash();
      run_all();
      int written = 0;
      while (written < 5 && durable(std::to_string(written))) ++written;
      for (int i = written; i < 5; ++i) EXPECT_FALSE(durable(std::to_string(i))) << "a hole before " << i;
      EXPECT_GE(written, static_cast<int>(answers_.size()));
      lost_after_writing.insert(written);
      unacknowledged_but_durable.insert(written > static_cast<int>(answers_.size()));
    }
  }
  EXPECT_THAT(lost_after_writing, ElementsAre(0, 1, 2, 3, 4, 5));
  EXPECT_THAT(unacknowledged_but_durable, ElementsAre(false, true));
}

TEST_F(MemoryStoreFaults, ACrashWithinAnAnswerSilencesTheRestOfTheGroup) {
  open();
  int answers = 0;
  for (const char* run : {"a", "b", "c"}) {
    store_->commit(batch(run), [&](const absl::Status&) {
      ++answers;
      store_->crash();
    });
  }
  run_all();
  EXPECT_EQ(answers, 1);
  EXPECT_TRUE(durable("a") && durable("b") && durable("c"));
}

TEST_F(MemoryStoreFaults, AStoreThatWasReplacedIsFenced) {
  open();
  auto replaced = std::move(store_);
  const Batch late = batch("late");
  open();
  std::optional<absl::StatusCode> code;
  replaced->commit(late, [&code](const absl::Status& status) { code = status.code(); });
  run_all();
  EXPECT_EQ(code, absl::StatusCode::kAborted);
  EXPECT_FALSE(durable("late"));
}

TEST_F(MemoryStoreFaults, AnOrderlyStopFinishesWhatIsPending) {
  FaultOptions faults = always(&FaultOptions::fail_before_commit);
  faults.max_commit_delay = faults.max_read_delay = absl::Hours(1);
  open(faults);
  commit_later("a");
  world_.step();
  commit_later("b");
  std::vector<std::optional<RunRow>> reads;
  store_->read_run(run_key("a"), [&reads](auto row) { reads.push_back(*row); });
  executor_.reset();  // the executor may go first
  store_.reset();
  EXPECT_THAT(answers_, ElementsAre(std::pair("a", absl::StatusCode::kOk), std::pair("b", absl::StatusCode::kOk)));
  EXPECT_EQ(reads.size(), 1u);
  EXPECT_TRUE(durable("a") && durable("b"));
}

TEST_F(MemoryStoreFaults, TheSameSeedGivesTheSameFaultsAndTimes) {
  FaultOptions faults = delays(absl::Seconds(1));
  faults.fail_before_commit = faults.unknown_outcome_committed = faults.unknown_outcome_lost = 0.2;
  const auto play = [&](uint64_t seed) {
    disk_ = std::make_shared<MemoryDisk>();
    open(faults, seed);
    std::vector<std::pair<absl::StatusCode, absl::Duration>> course;
    for (int i = 0; i < 50; ++i) {
      const absl::Time before = world_.clock().now();
      const absl::StatusCode code = commit(std::to_string(i));
      course.emplace_back(code, world_.clock().now() - before);
    }
    return course;
  };
  const auto first = play(7);
  EXPECT_EQ(play(7), first);
  EXPECT_NE(play(8), first);
}

TEST(MemoryStoreThreads, ACrashAmidManyThreadsKeepsWhatWasAcknowledged) {
  const base::SystemClock clock;
  const auto disk = std::make_shared<MemoryDisk>();
  base::ThreadExecutor executor("store-test", clock);
  auto store = std::make_unique<MemoryStore>(disk, executor, clock, base::make_seeded_random(1));
  const Lease lease = *store->acquire(0, kSlots, "test");
  std::array<std::atomic<int>, 4> acknowledged = {};
  std::vector<std::thread> callers;
  for (size_t caller = 0; caller < acknowledged.size(); ++caller) {
    callers.emplace_back([&, caller] {
      for (int i = 0; i < 500; ++i) {
        Batch batch;
        batch.id = std::to_string(caller) + "-" + std::to_string(i);
        batch.lease = lease;
        batch.runs.push_back({run_key(batch.id), 1, at(0), false, ""});
        store->commit(std::move(batch), [&, caller](const absl::Status& status) {
          if (status.ok()) ++acknowledged[caller];
        });
        if (caller == 0 && i == 250) store->crash();
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  store.reset();
  for (size_t caller = 0; caller < acknowledged.size(); ++caller) {
    for (int i = 0; i < acknowledged[caller]; ++i) {
      const RunKey key = run_key(std::to_string(caller) + "-" + std::to_string(i));
      EXPECT_TRUE(disk->with([&](const Tables& tables) { return tables.run(key).has_value(); })) << key.run_id;
    }
  }
}

TEST_F(MemoryStoreFaults, ACopyOfTheDiskGoesItsOwnWay) {
  open();
  ASSERT_EQ(commit("a"), absl::StatusCode::kOk);
  const auto copy = disk_->copy();
  ASSERT_EQ(commit("b"), absl::StatusCode::kOk);
  EXPECT_EQ(copy->with([](const Tables& tables) { return tables.runs().size(); }), 1u);
  EXPECT_TRUE(durable("b"));
}

}  // namespace
}  // namespace skald::store
