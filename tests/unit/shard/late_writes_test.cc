#include "engine/shard/late_writes.h"

#include "tests/unit/shard/engine_fixture.h"

namespace skald::shard {
namespace {

// What is known to memory alone is durable within this time.
constexpr absl::Duration kWithin = absl::Seconds(1);

class LateWritesTest : public EngineTest {
 protected:
  // An order with these activities under way; the token of the first.
  std::string order(std::vector<temporal::api::command::v1::Command> activities) {
    EXPECT_TRUE(start("order").ok());
    EXPECT_TRUE(complete(*poll_workflow_task(), std::move(activities)).ok());
    store_.batches.clear();
    return begin_activity();
  }
  std::string begin_activity() {
    const auto task = poll_activity_task();
    EXPECT_TRUE(task.ok() && !task->task_token().empty());
    return task.ok() ? task->task_token() : "";
  }
  const core::state::PendingActivity stored_activity() {
    const auto state = stored("order");
    return state.activities().empty() ? core::state::PendingActivity() : state.activities().begin()->second;
  }
  // What a worker that polls now is given, if anything comes without a wait.
  absl::StatusOr<wire::PollActivityTaskQueueResponse> polled() { return poll_activity_task(); }
};

TEST_F(LateWritesTest, AStartIsDurableWithinASecond) {
  order({activity("a")});
  EXPECT_FALSE(stored_activity().has_started_time());
  EXPECT_EQ(commits(), 0U);
  world_.run_for(kWithin);
  EXPECT_TRUE(stored_activity().has_started_time());
  EXPECT_EQ(commits(), 1U);
  world_.run_for(absl::Seconds(30));
  EXPECT_EQ(commits(), 1U);
}

TEST_F(LateWritesTest, AnActivityThatEndsWithinTheSecondCostsNoCommitMore) {
  const std::string token = order({activity("a")});
  world_.run_for(absl::Milliseconds(800));
  ASSERT_TRUE(complete_activity(token).ok());
  EXPECT_EQ(commits(), 1U);
  world_.run_for(absl::Seconds(5));
  EXPECT_EQ(commits(), 1U);
}

TEST_F(LateWritesTest, OneAfterTheOtherWithinTheSecondCostsNoCommitMore) {
  std::string token = order({activity("a")});
  for (int i = 0; i < 10; ++i) {
    world_.run_for(absl::Milliseconds(300));
    ASSERT_TRUE(complete_activity(token).ok());
    ASSERT_TRUE(complete(*poll_workflow_task(), {activity("a")}).ok());
    token = begin_activity();
  }
  EXPECT_EQ(commits(), 20U);
}

TEST_F(LateWritesTest, AHeartbeatIsDurableWithinASecond) {
  const std::string token = order({activity("a")});
  world_.run_for(kWithin);
  ASSERT_TRUE(heartbeat(token, "half").ok());
  EXPECT_EQ(commits(), 1U);
  world_.run_for(kWithin);
  EXPECT_EQ(stored_activity().heartbeat_details().payloads(0).data(), "half");
  EXPECT_EQ(commits(), 2U);
}

TEST_F(LateWritesTest, ManyHeartbeatsAreAFewCommits) {
  const std::string token = order({activity("a")});
  world_.run_for(kWithin);
  store_.batches.clear();
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(heartbeat(token, std::to_string(i)).ok());
    world_.run_for(absl::Milliseconds(50));
  }
  EXPECT_GE(commits(), 4U);
  EXPECT_LE(commits(), 12U);
}

TEST_F(LateWritesTest, ManyRunsAreOneCommit) {
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(start("order" + std::to_string(i)).ok());
    ASSERT_TRUE(complete(*poll_workflow_task(), {activity("a")}).ok());
  }
  for (int i = 0; i < 50; ++i) begin_activity();
  store_.batches.clear();
  world_.run_for(kWithin);
  EXPECT_EQ(commits(), 1U);
  EXPECT_TRUE(stored("order49").activities().begin()->second.has_started_time());
}

TEST_F(LateWritesTest, WhatIsWrittenAnywayTakesItAlong) {
  order({activity("a")});
  ASSERT_TRUE(signal("order").ok());
  EXPECT_TRUE(stored_activity().has_started_time());
  EXPECT_EQ(commits(), 1U);
  world_.run_for(absl::Seconds(5));
  EXPECT_EQ(commits(), 1U);
}

TEST_F(LateWritesTest, ARestartKnowsWhatRuns) {
  const std::string token = order({activity("a")});
  ASSERT_TRUE(heartbeat(token, "half").ok());
  restart_in_order();
  world_.run_for(absl::Seconds(7));
  EXPECT_TRUE(stored_activity().has_started_time());
  EXPECT_EQ(stored_activity().heartbeat_details().payloads(0).data(), "half");
  EXPECT_TRUE(absl::IsUnknown(polled().status()));  // nobody else is given it
  EXPECT_TRUE(complete_activity(token).ok());
}

TEST_F(LateWritesTest, ASecondAfterItBeganAKillDoesNotForgetIt) {
  const std::string token = order({activity("a")});
  world_.run_for(kWithin);
  restart();
  EXPECT_TRUE(absl::IsUnknown(polled().status()));
  EXPECT_TRUE(complete_activity(token).ok());
}

TEST_F(LateWritesTest, AnActivityThatRunsIsNotLateToBegin) {
  auto command = activity("a");
  *command.mutable_schedule_activity_task_command_attributes()->mutable_schedule_to_start_timeout() =
      google::protobuf::util::TimeUtil::SecondsToDuration(4);
  const std::string token = order({command});
  restart_in_order();
  world_.run_for(absl::Seconds(7));
  EXPECT_TRUE(complete_activity(token).ok());
}

TEST_F(LateWritesTest, TheStartOfAWorkflowTaskSurvivesToo) {
  ASSERT_TRUE(start("order").ok());
  const auto task = poll_workflow_task();
  ASSERT_TRUE(task.ok());
  restart_in_order();
  EXPECT_TRUE(complete(*task, {completion()}).ok());
}

TEST_F(LateWritesTest, WhatAWorkerWithinTheProcessBeganIsHandedOutAgainAfterIt) {
  polls_within_ = true;
  auto command = activity("a");
  *command.mutable_schedule_activity_task_command_attributes()->mutable_schedule_to_start_timeout() =
      google::protobuf::util::TimeUtil::SecondsToDuration(4);
  const std::string token = order({command});
  ASSERT_TRUE(heartbeat(token, "half").ok());
  world_.run_for(absl::Seconds(5));
  EXPECT_TRUE(stored_activity().has_started_time());
  restart();
  world_.run_for(absl::Seconds(1));
  const auto again = polled();
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->attempt(), 1);
  EXPECT_EQ(again->heartbeat_details().payloads(0).data(), "half");
  EXPECT_TRUE(complete_activity(again->task_token()).ok());
}

TEST_F(LateWritesTest, WhatRunsInThisLifeIsNotHandedOutAgain) {
  end();
  owner_limits_.cache_bytes = 8 << 10;
  begin();
  polls_within_ = true;
  const std::string token = order({activity("a")});
  world_.run_for(kWithin);
  for (int i = 0; i < 40; ++i) signal("nobody" + std::to_string(i)).IgnoreError();
  store_.reads.clear();
  ASSERT_TRUE(signal("order").ok());
  ASSERT_FALSE(store_.reads.empty());  // it was not in memory
  EXPECT_TRUE(absl::IsUnknown(polled().status()));
  EXPECT_TRUE(complete_activity(token).ok());
}

TEST_F(LateWritesTest, ALimitedAttemptCountsAsBegunWhereverItWas) {
  polls_within_ = true;
  order({activity("a", 1)});
  restart();
  world_.run_for(absl::Seconds(1));
  EXPECT_TRUE(absl::IsUnknown(polled().status()));
}

TEST_F(LateWritesTest, ARunThatLeftIsNotTouchedAgain) {
  order({activity("a")});
  store_.refuses = [](const store::Batch&) { return absl::UnavailableError("away"); };
  EXPECT_FALSE(signal("order").ok());  // undone: the run leaves memory
  store_.refuses = [](const store::Batch&) { return absl::OkStatus(); };
  world_.run_for(absl::Seconds(5));
  EXPECT_FALSE(stored_activity().has_started_time());
}

}  // namespace
}  // namespace skald::shard
