#include "engine/shard/commit_pipeline.h"

#include "engine/core/times.h"
#include "tests/unit/shard/store_fixture.h"

namespace skald::shard {
namespace {

class CommitPipelineTest : public StoreTest {
 protected:
  CommitPipelineTest() { restart({}); }

  struct Limits {
    size_t rows = 1000;
    size_t bytes = 1 << 20;
  };
  void restart(Limits limits) {
    commits_ = std::make_unique<CommitPipeline>(CommitPipeline::Parts{
        .clock = world_.clock(),
        .executor = *executor_,
        .store = store_,
        .lease = lease_,
        .batch_prefix = "life-",
        .batch_rows = limits.rows,
        .batch_bytes = limits.bytes,
        .visibility_row = [](const CachedRun& run) {
          store::VisibilityRow row;
          row.key = run.key;
          row.start_time = row.execution_time = absl::FromUnixSeconds(1);
          return row;
        },
        .durable = [this](const std::vector<CachedRun*>& runs) {
          for (CachedRun* run : runs) told_.push_back("durable " + run->key.run_id);
        },
        .undone = [this](const std::set<store::WorkflowKey>& workflows, const absl::Status&, const absl::Status& why) {
          for (const auto& key : workflows) told_.push_back("undone " + key.workflow_id);
          why_ = why;
        }});
  }

  CachedRun& run(const std::string& id, int64_t events = 2) { return new_run(cache_, id, id, events); }
  WorkflowEntry& entry(const std::string& id) { return cache_.entry({"ns", id}); }
  void write(CachedRun& run) { commits_->write(entry(run.key.workflow_id), run); }
  CommitPipeline::Action told(const std::string& what) {
    return [this, what](const absl::Status& status) {
      told_.push_back(what + " " + std::string(absl::StatusCodeToString(status.code())));
    };
  }
  void ready() { world_.run_ready(); }

  // Fails so many batches with the status.
  void fail(int batches, absl::Status status) {
    store_.refuses = [batches, status = std::move(status)](const store::Batch&) mutable {
      return batches-- > 0 ? status : absl::OkStatus();
    };
  }

  RunCache cache_{{.bytes = 1 << 20, .tail_bytes = 1 << 20}, no_hooks()};
  std::unique_ptr<CommitPipeline> commits_;
  std::vector<std::string> told_;
  absl::Status why_;
};

// The row ids of a batch's runs.
std::vector<std::string> runs_of(const store::Batch& batch) {
  std::vector<std::string> ids;
  for (const store::RunRow& row : batch.runs) ids.push_back(row.key.run_id);
  return ids;
}

TEST_F(CommitPipelineTest, WritesTheRunAsItIsAndItsNewEvents) {
  CachedRun& order = run("order", 3);
  write(order);
  add_events(order, 1);  // before the batch is built
  order.state.mutable_workflow_task()->set_scheduled_event_id(4);
  core::set(order.state.mutable_run_expiration(), now() + absl::Seconds(7));
  ready();
  ASSERT_THAT(store_.batches, SizeIs(1));
  const store::Batch& batch = store_.batches[0];
  EXPECT_EQ(batch.id, "life-1");
  EXPECT_EQ(batch.lease.epoch, lease_.epoch);
  ASSERT_THAT(batch.runs, SizeIs(1));
  EXPECT_EQ(batch.runs[0].key, order.key);
  EXPECT_EQ(batch.runs[0].status, enums::WORKFLOW_EXECUTION_STATUS_RUNNING);
  EXPECT_EQ(batch.runs[0].wake_time, now() + absl::Seconds(7));
  EXPECT_TRUE(batch.runs[0].has_work);
  core::state::RunState stored;
  ASSERT_TRUE(stored.ParseFromString(batch.runs[0].state));
  EXPECT_EQ(stored.next_event_id(), 5);
  ASSERT_THAT(batch.history, SizeIs(1));
  EXPECT_EQ(batch.history[0].key, order.key);
  EXPECT_EQ(batch.history[0].chunk.first_event_id, 1);
  EXPECT_EQ(batch.history[0].chunk.last_event_id, 4);
  EXPECT_EQ(ids(batch.history[0].chunk.bytes), "1 2 3 4");
  EXPECT_THAT(batch.visibility, IsEmpty());
  EXPECT_THAT(batch.current, IsEmpty());
}

TEST_F(CommitPipelineTest, EachEventIsWrittenOnce) {
  CachedRun& order = run("order", 2);
  write(order);
  ready();
  add_events(order, 3);
  write(order);
  ready();
  write(order);  // nothing happened in history
  ready();
  ASSERT_THAT(store_.batches, SizeIs(3));
  ASSERT_THAT(store_.batches[1].history, SizeIs(1));
  EXPECT_EQ(store_.batches[1].history[0].chunk.first_event_id, 3);
  EXPECT_EQ(ids(store_.batches[1].history[0].chunk.bytes), "3 4 5");
  EXPECT_THAT(store_.batches[2].history, IsEmpty());
  EXPECT_THAT(told_, ElementsAre("durable order", "durable order", "durable order"));
}

TEST_F(CommitPipelineTest, ListsAndTheCurrentRunAreWrittenWhenTheyChanged) {
  CachedRun& order = run("order");
  order.write_visibility = order.write_current = true;
  order.state.set_start_request_id("request");
  write(order);
  ready();
  write(order);
  ready();
  ASSERT_THAT(store_.batches, SizeIs(2));
  ASSERT_THAT(store_.batches[0].visibility, SizeIs(1));
  EXPECT_EQ(store_.batches[0].visibility[0].key, order.key);
  ASSERT_THAT(store_.batches[0].current, SizeIs(1));
  EXPECT_EQ(store_.batches[0].current[0].key, order.key.workflow());
  EXPECT_EQ(store_.batches[0].current[0].run_id, "order");
  EXPECT_EQ(store_.batches[0].current[0].status, enums::WORKFLOW_EXECUTION_STATUS_RUNNING);
  EXPECT_EQ(store_.batches[0].current[0].start_request_id, "request");
  EXPECT_THAT(store_.batches[1].visibility, IsEmpty());
  EXPECT_THAT(store_.batches[1].current, IsEmpty());
}

TEST_F(CommitPipelineTest, WhatIsWrittenIsNotVolatileAnyMore) {
  CachedRun& order = run("order");
  order.has_volatile = true;
  write(order);
  EXPECT_FALSE(order.has_volatile);
  order.has_volatile = true;  // changed again before the batch is built
  ready();
  EXPECT_FALSE(order.has_volatile);
}

TEST_F(CommitPipelineTest, WhatGathersMeanwhileIsOneCommit) {
  CachedRun& first = run("first");
  CachedRun& second = run("second");
  CachedRun& third = run("third");
  write(first);
  ASSERT_TRUE(world_.step());  // is with the store
  ASSERT_THAT(store_.batches, SizeIs(1));
  write(second);
  write(third);
  write(second);
  ready();
  ASSERT_THAT(store_.batches, SizeIs(2));
  EXPECT_THAT(runs_of(store_.batches[1]), ElementsAre("second", "third"));
  const Statistics statistics = commits_->statistics();
  EXPECT_EQ(statistics.commits, 2U);
  EXPECT_EQ(statistics.run_rows, 3U);
  EXPECT_EQ(statistics.rows, store_.batches[0].rows() + store_.batches[1].rows());
  EXPECT_EQ(statistics.bytes, store_.batches[0].bytes() + store_.batches[1].bytes());
}

TEST_F(CommitPipelineTest, ARunThatChangesWhileItIsWrittenIsWrittenAgain) {
  CachedRun& order = run("order", 1);
  write(order);
  ASSERT_TRUE(world_.step());
  add_events(order, 1);
  write(order);
  commits_->when_durable(order, told("second"));
  EXPECT_EQ(order.batch, 2U);
  ready();
  ASSERT_THAT(store_.batches, SizeIs(2));
  EXPECT_EQ(ids(store_.batches[1].history[0].chunk.bytes), "2");
  EXPECT_THAT(told_, ElementsAre("durable order", "second OK", "durable order"));
  EXPECT_EQ(order.batch, 0U);
}

TEST_F(CommitPipelineTest, ActionsWaitForWhatTheyRestOn) {
  CachedRun& order = run("order");
  CachedRun& other = run("other");
  commits_->when_durable(order, told("at once"));
  EXPECT_THAT(told_, ElementsAre("at once OK"));
  told_.clear();
  write(order);
  commits_->when_durable(order, told("gathering"));
  ASSERT_TRUE(world_.step());
  commits_->when_durable(order, told("committing"));
  write(other);
  commits_->when_durable(other, told("next"));
  EXPECT_THAT(told_, IsEmpty());
  ready();
  EXPECT_THAT(told_, ElementsAre("gathering OK", "committing OK", "durable order", "next OK", "durable other"));
  EXPECT_THAT(store_.batches, SizeIs(2));
}

TEST_F(CommitPipelineTest, KnowsWhatIsDurable) {
  CachedRun& order = run("order", 4);
  write(order);
  ASSERT_TRUE(world_.step());
  EXPECT_EQ(order.saved_last_event_id, 4);
  EXPECT_EQ(order.durable_last_event_id, 0);
  ready();
  EXPECT_EQ(order.durable_last_event_id, 4);
  EXPECT_FALSE(order.durable_closed);
  order.state.set_status(enums::WORKFLOW_EXECUTION_STATUS_COMPLETED);
  write(order);
  EXPECT_FALSE(order.durable_closed);
  ready();
  EXPECT_TRUE(order.durable_closed);
}

TEST_F(CommitPipelineTest, ACloseThatIsOnItsWayIsNotDurable) {
  CachedRun& order = run("order");
  write(order);
  ASSERT_TRUE(world_.step());
  order.state.set_status(enums::WORKFLOW_EXECUTION_STATUS_COMPLETED);
  write(order);
  while (told_.empty()) ASSERT_TRUE(world_.step());
  EXPECT_FALSE(order.durable_closed);
  ready();
  EXPECT_TRUE(order.durable_closed);
}

TEST_F(CommitPipelineTest, MessagesLeaveWithTheirRunAndAreSentAfterwards) {
  CachedRun& parent = run("parent");
  write(parent);
  commits_->write_message(entry("parent"), {"m1", parent.key, "text"}, told("sent"));
  commits_->message_done(entry("parent"), "m0");
  EXPECT_THAT(told_, IsEmpty());
  ready();
  ASSERT_THAT(store_.batches, SizeIs(1));
  ASSERT_THAT(store_.batches[0].outbox, SizeIs(1));
  EXPECT_EQ(store_.batches[0].outbox[0].id, "m1");
  EXPECT_EQ(store_.batches[0].outbox[0].message, "text");
  EXPECT_THAT(store_.batches[0].outbox_done, ElementsAre("m0"));
  EXPECT_THAT(told_, ElementsAre("sent OK", "durable parent"));
}

TEST_F(CommitPipelineTest, WhatBelongsToNoRunIsCommittedToo) {
  commits_->message_done("m0");
  commits_->erase({"ns", "old", "old"});
  ready();
  ASSERT_THAT(store_.batches, SizeIs(1));
  EXPECT_THAT(store_.batches[0].outbox_done, ElementsAre("m0"));
  EXPECT_THAT(store_.batches[0].deleted_runs, ElementsAre(store::RunKey{"ns", "old", "old"}));
}

TEST_F(CommitPipelineTest, AFullBatchIsFollowedByAnother) {
  restart({.rows = 8});  // two runs' worth
  CachedRun& first = run("first");
  CachedRun& second = run("second");
  CachedRun& third = run("third");
  for (CachedRun* next : {&first, &second, &third}) write(*next);
  ready();
  ASSERT_THAT(store_.batches, SizeIs(2));
  EXPECT_THAT(runs_of(store_.batches[0]), ElementsAre("first", "second"));
  EXPECT_THAT(runs_of(store_.batches[1]), ElementsAre("third"));
}

TEST_F(CommitPipelineTest, MessagesFillABatchToo) {
  restart({.rows = 2});
  commits_->message_done("m0");
  commits_->message_done("m1");
  commits_->message_done("m2");
  ready();
  ASSERT_THAT(store_.batches, SizeIs(2));
  EXPECT_THAT(store_.batches[0].outbox_done, ElementsAre("m0", "m1"));
}

TEST_F(CommitPipelineTest, BytesFillABatchToo) {
  CachedRun& first = run("first");
  CachedRun& second = run("second");
  restart({.bytes = first.bytes + 1});
  CachedRun& third = run("third");
  for (CachedRun* next : {&first, &second, &third}) write(*next);
  ready();
  ASSERT_THAT(store_.batches, SizeIs(2));
  EXPECT_THAT(runs_of(store_.batches[0]), ElementsAre("first", "second"));
}

TEST_F(CommitPipelineTest, WhatBelongsTogetherIsNotSplit) {
  restart({.rows = 4});
  CachedRun& first = new_run(cache_, "order", "first");
  CachedRun& next = new_run(cache_, "order", "next");
  write(first);  // fills the batch
  write(next);
  commits_->write_message(entry("order"), {"m1", first.key, "text"}, told("sent"));
  commits_->message_done(entry("order"), "m0");
  ready();
  ASSERT_THAT(store_.batches, SizeIs(1));
  EXPECT_THAT(runs_of(store_.batches[0]), ElementsAre("first", "next"));
  EXPECT_THAT(store_.batches[0].outbox, SizeIs(1));
  EXPECT_THAT(store_.batches[0].outbox_done, SizeIs(1));
}

TEST_F(CommitPipelineTest, AFailureUndoesAllThatWasTouchedSince) {
  fail(1, absl::UnavailableError("the disk is away"));
  CachedRun& first = run("first");
  CachedRun& second = run("second");
  write(first);
  commits_->when_durable(first, told("first"));
  ASSERT_TRUE(world_.step());
  write(second);
  commits_->when_durable(second, told("second"));
  ready();
  EXPECT_THAT(told_, ElementsAre("first UNAVAILABLE", "second UNAVAILABLE", "undone first", "undone second"));
  EXPECT_EQ(why_.message(), "the disk is away");
  EXPECT_THAT(store_.batches, SizeIs(1));
  // And goes on.
  CachedRun& third = run("third");
  write(third);
  ready();
  EXPECT_THAT(store_.batches, SizeIs(2));
  EXPECT_EQ(told_.back(), "durable third");
}

TEST_F(CommitPipelineTest, CallersAreToldWhatMayBeTriedAgain) {
  const std::vector<std::pair<absl::Status, absl::StatusCode>> cases = {
      {absl::UnavailableError("x"), absl::StatusCode::kUnavailable},
      {absl::ResourceExhaustedError("x"), absl::StatusCode::kResourceExhausted},
      {absl::InternalError("x"), absl::StatusCode::kUnavailable},
  };
  for (const auto& [failure, code] : cases) {
    told_.clear();
    restart({});
    fail(1, failure);
    CachedRun& order = run("order");
    write(order);
    commits_->when_durable(order, told("order"));
    ready();
    EXPECT_EQ(told_.front(), "order " + std::string(absl::StatusCodeToString(code))) << failure;
  }
}

// Refuses every batch that has the run in it.
std::function<absl::Status(const store::Batch&)> refuses_run(const std::string& id) {
  return [id](const store::Batch& batch) {
    for (const std::string& run : runs_of(batch)) {
      if (run == id) return absl::InternalError("the row is too large");
    }
    return absl::OkStatus();
  };
}

TEST_F(CommitPipelineTest, OneBadNeighbourFailsAlone) {
  store_.refuses = refuses_run("5");
  for (int i = 0; i < 8; ++i) {
    CachedRun& next = run(std::to_string(i), 3);
    next.write_visibility = next.write_current = true;
    entry(next.key.workflow_id).current = store::CurrentRow{next.key.workflow(), next.key.run_id, 1, ""};
    write(next);
    commits_->write_message(entry(next.key.workflow_id), {"m" + next.key.run_id, next.key, "text"}, [](const auto&) {});
    commits_->when_durable(next, told(next.key.run_id));
  }
  commits_->message_done("another");
  ready();
  EXPECT_THAT(told_, ::testing::UnorderedElementsAre(
                         "0 OK", "1 OK", "2 OK", "3 OK", "4 OK", "6 OK", "7 OK", "5 UNAVAILABLE", "undone 5", "durable 0",
                         "durable 1", "durable 2", "durable 3", "durable 4", "durable 6", "durable 7"));
  // Found by halving: 9 parts, 4 and 5, 2 and 3 of the latter, the first of those two alone.
  EXPECT_LE(store_.batches.size(), 9U);
  disk_->with([](const store::Tables& tables) {
    EXPECT_EQ(tables.runs().size(), 7U);
    EXPECT_EQ(tables.messages().size(), 7U);
    EXPECT_EQ(tables.visibility().size(), 7U);
    EXPECT_EQ(tables.current_runs().size(), 7U);
    for (const auto& [id, chunks] : tables.histories()) {
      ASSERT_EQ(chunks.size(), 1U) << id;
      EXPECT_EQ(ids(chunks.begin()->second.bytes), "1 2 3");
    }
  });
}

TEST_F(CommitPipelineTest, WhatHappensMeanwhileIsWrittenWithWhatIsTriedAgain) {
  CachedRun& good = run("good", 2);
  CachedRun& bad = run("bad", 2);
  store_.refuses = refuses_run("bad");
  write(good);
  write(bad);
  ASSERT_TRUE(world_.step());
  add_events(good, 1);
  write(good);
  commits_->write_message(entry("good"), {"m1", good.key, "text"}, told("sent"));
  commits_->when_durable(good, told("good"));
  write(bad);
  commits_->when_durable(bad, told("bad"));
  ready();
  EXPECT_THAT(told_, ElementsAre("sent OK", "good OK", "durable good", "bad UNAVAILABLE", "undone bad"));
  EXPECT_THAT(store_.batches, SizeIs(3));
  disk_->with([](const store::Tables& tables) {
    ASSERT_EQ(tables.histories().size(), 1U);
    const auto& chunks = tables.histories().begin()->second;
    ASSERT_EQ(chunks.size(), 1U);
    EXPECT_EQ(ids(chunks.begin()->second.bytes), "1 2 3");
    EXPECT_EQ(tables.messages().size(), 1U);
  });
  EXPECT_EQ(good.batch, 0U);
  EXPECT_EQ(entry("good").parts_under_way, 0);
}

TEST_F(CommitPipelineTest, ABadNeighbourDoesNotUndoWhatGathersBesideIt) {
  CachedRun& bad = run("bad");
  CachedRun& good = run("good");
  store_.refuses = refuses_run("bad");
  for (int i = 0; i < 40; ++i) {
    told_.clear();
    write(bad);
    ASSERT_TRUE(world_.step());
    write(good);
    ready();
    ASSERT_THAT(told_, ElementsAre("undone bad", "durable good"));
    bad.batch = 0;  // as the run that is read back
  }
}

TEST_F(CommitPipelineTest, AStoreThatTakesNothingIsNotAskedForEachRun) {
  store_.refuses = [](const store::Batch&) { return absl::ResourceExhaustedError("the disk is full"); };
  for (int i = 0; i < 200; ++i) {
    CachedRun& next = run(std::to_string(i));
    write(next);
    commits_->when_durable(next, told("told"));
  }
  ready();
  EXPECT_LE(store_.batches.size(), 20U);
  EXPECT_EQ(std::count(told_.begin(), told_.end(), "told RESOURCE_EXHAUSTED"), 200);
}

TEST_F(CommitPipelineTest, TheCurrentRunIsNotTakenBackByOneThatIsTriedAgain) {
  CachedRun& bad = run("bad");
  CachedRun& first = new_run(cache_, "order", "first");
  first.write_current = true;
  entry("order").current = store::CurrentRow{first.key.workflow(), "first", 1, ""};
  store_.refuses = refuses_run("bad");
  write(first);
  write(bad);
  ASSERT_TRUE(world_.step());
  CachedRun& next = new_run(cache_, "order", "next");
  next.write_current = true;
  entry("order").current->run_id = "next";
  write(first);
  write(next);
  ready();
  disk_->with([](const store::Tables& tables) {
    ASSERT_EQ(tables.current_runs().size(), 1U);
    EXPECT_EQ(tables.current_runs().begin()->second.run_id, "next");
    EXPECT_EQ(tables.runs().size(), 2U);
  });
  ASSERT_THAT(store_.batches.back().runs, SizeIs(1));
  EXPECT_THAT(store_.batches[1].current, SizeIs(1));
}

TEST_F(CommitPipelineTest, IsSettledWhenNothingIsOnItsWay) {
  commits_->when_settled(told("idle"));
  EXPECT_THAT(told_, ElementsAre("idle OK"));
  told_.clear();
  write(run("first"));
  ASSERT_TRUE(world_.step());
  commits_->when_settled(told("committing"));
  write(run("second"));
  commits_->when_settled(told("gathering"));
  EXPECT_THAT(told_, IsEmpty());
  ready();
  EXPECT_THAT(told_, ElementsAre("committing OK", "durable first", "gathering OK", "durable second"));
}

TEST_F(CommitPipelineTest, KnowsWhatItWillWrite) {
  CachedRun& order = run("order");
  EXPECT_FALSE(commits_->will_write(order));
  write(order);
  EXPECT_TRUE(commits_->will_write(order));
  ASSERT_TRUE(world_.step());
  EXPECT_FALSE(commits_->will_write(order));  // as it was
  ready();
  EXPECT_FALSE(commits_->will_write(order));
}

TEST_F(CommitPipelineTest, DeletionsAreManyBatches) {
  for (int i = 0; i < 25; ++i) commits_->erase({"ns", "old", std::to_string(i)});
  ready();
  ASSERT_THAT(store_.batches, SizeIs(3));
  EXPECT_THAT(store_.batches[0].deleted_runs, SizeIs(10));
}

TEST_F(CommitPipelineTest, AnEntryIsHeldWhilePartsOfItAreUnderWay) {
  commits_->message_done(entry("order"), "m0");
  EXPECT_EQ(entry("order").parts_under_way, 1);
  ready();
  EXPECT_EQ(entry("order").parts_under_way, 0);
  fail(1, absl::UnavailableError("away"));
  write(run("order"));
  EXPECT_EQ(entry("order").parts_under_way, 1);
  ready();
  EXPECT_EQ(entry("order").parts_under_way, 0);
}

TEST_F(CommitPipelineTest, AnUnknownOutcomeIsAskedFor) {
  fail(1, absl::UnknownError("the connection broke"));
  CachedRun& order = run("order");
  write(order);
  commits_->when_durable(order, told("order"));
  ready();
  EXPECT_THAT(store_.outcomes, ElementsAre("life-1"));
  EXPECT_THAT(told_, ElementsAre("order OK", "durable order"));
}

TEST_F(CommitPipelineTest, AnUnknownOutcomeThatWasNoneIsUndone) {
  store_.refuses = [](const store::Batch&) { return absl::OkStatus(); };
  memory_.set_faults({.unknown_outcome_lost = 1});
  CachedRun& order = run("order");
  write(order);
  commits_->when_durable(order, told("order"));
  ready();
  EXPECT_THAT(told_, ElementsAre("order UNAVAILABLE", "undone order"));
}

TEST_F(CommitPipelineTest, AnOutcomeIsAskedForUntilItIsKnown) {
  fail(1, absl::UnknownError("the connection broke"));
  store_.failing_reads = 2;
  CachedRun& order = run("order");
  write(order);
  commits_->when_durable(order, told("order"));
  ready();
  EXPECT_THAT(told_, IsEmpty());
  world_.run_for(absl::Seconds(1));
  EXPECT_THAT(store_.outcomes, ElementsAre("life-1", "life-1", "life-1"));
  EXPECT_THAT(told_, ElementsAre("order OK", "durable order"));
}

TEST_F(CommitPipelineTest, TheEndIsTheEnd) {
  for (const absl::Status& failure : {absl::AbortedError("the lease is lost"), absl::DataLossError("damaged")}) {
    restart({});
    fail(1, failure);
    CachedRun& order = run("order");
    write(order);
    ready();
    EXPECT_EQ(why_, failure);
    EXPECT_TRUE(CommitPipeline::is_fatal(why_));
    const size_t batches = store_.batches.size();
    write(run("other"));
    ready();
    EXPECT_THAT(store_.batches, SizeIs(batches)) << failure;
  }
  EXPECT_FALSE(CommitPipeline::is_fatal(absl::UnavailableError("")));
}

TEST_F(CommitPipelineTest, ALeaseThatIsLostWhileTheOutcomeIsAskedForIsTheEnd) {
  fail(1, absl::UnknownError("the connection broke"));
  CachedRun& order = run("order");
  write(order);
  ASSERT_TRUE(world_.step());
  *memory_.acquire(0, store::kSlots, "another");
  ready();
  EXPECT_TRUE(absl::IsAborted(why_)) << why_;
}

}  // namespace
}  // namespace skald::shard
