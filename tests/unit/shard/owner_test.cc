#include "engine/shard/owner.h"

#include "tests/unit/shard/engine_fixture.h"

namespace skald::shard {
namespace {

class OwnerTest : public EngineTest {
 protected:
  // An order whose first task was completed with these commands.
  void order(const std::string& id, std::vector<temporal::api::command::v1::Command> commands) {
    ASSERT_TRUE(start(id).ok());
    const auto task = poll_workflow_task();
    ASSERT_TRUE(task.ok()) << task.status();
    ASSERT_EQ(task->head.workflow_execution().workflow_id(), id);
    ASSERT_TRUE(complete(*task, std::move(commands)).ok());
  }
  // Everything leaves memory but what matching has.
  void end_memory() {
    for (int i = 0; i < 40; ++i) signal("nobody" + std::to_string(i)).IgnoreError();
  }
};

TEST_F(OwnerTest, EachStepIsOneCommit) {
  ASSERT_TRUE(start("order").ok());
  EXPECT_EQ(commits(), 1U);
  const auto task = poll_workflow_task();
  ASSERT_TRUE(task.ok());
  EXPECT_EQ(commits(), 1U);  // A start may be forgotten.
  ASSERT_TRUE(complete(*task, {activity("a")}).ok());
  EXPECT_EQ(commits(), 2U);
  const auto activity_task = poll_activity_task();
  ASSERT_TRUE(activity_task.ok());
  EXPECT_EQ(commits(), 2U);
  ASSERT_TRUE(complete_activity(activity_task->task_token()).ok());
  EXPECT_EQ(commits(), 3U);
  ASSERT_TRUE(complete(*poll_workflow_task(), {completion()}).ok());
  EXPECT_EQ(commits(), 4U);
  EXPECT_EQ(stored("order").status(), enums::WORKFLOW_EXECUTION_STATUS_COMPLETED);
  EXPECT_THAT(store_.reads, ElementsAre("current order"));
  // Every event once, in order.
  int64_t next = 1;
  for (const store::Batch& batch : store_.batches) {
    for (const store::HistoryRow& row : batch.history) {
      EXPECT_EQ(row.chunk.first_event_id, next);
      next = row.chunk.last_event_id + 1;
    }
  }
  EXPECT_EQ(next, stored("order").next_event_id());
}

TEST_F(OwnerTest, AStartWhoseAttemptsAreLimitedIsACommit) {
  order("order", {activity("a", 3)});
  const size_t before = commits();
  const auto task = poll_activity_task();
  ASSERT_TRUE(task.ok());
  EXPECT_EQ(commits(), before + 1);
  EXPECT_TRUE(stored("order").activities().begin()->second.has_started_time());
}

TEST_F(OwnerTest, ListsAreWrittenWhenTheyChange) {
  ASSERT_TRUE(start("order").ok());
  ASSERT_THAT(store_.batches[0].visibility, SizeIs(1));
  ASSERT_THAT(store_.batches[0].current, SizeIs(1));
  ASSERT_TRUE(signal("order").ok());
  EXPECT_THAT(store_.batches[1].visibility, IsEmpty());
  EXPECT_THAT(store_.batches[1].current, IsEmpty());
  ASSERT_TRUE(terminate("order").ok());
  EXPECT_THAT(store_.batches[2].visibility, SizeIs(1));
  EXPECT_THAT(store_.batches[2].current, SizeIs(1));
}

TEST_F(OwnerTest, ARunIsReadOnceAndItsTasksAreHandedOut) {
  order("order", {activity("a")});
  restart();
  EXPECT_THAT(store_.reads, IsEmpty());  // begin() has looked away
  const auto task = poll_activity_task();
  ASSERT_TRUE(task.ok());
  EXPECT_EQ(task->activity_id(), "a");
  ASSERT_TRUE(complete_activity(task->task_token()).ok());
  EXPECT_THAT(store_.reads, IsEmpty());
}

TEST_F(OwnerTest, ARunThatIsNotThereIsAskedForEachTime) {
  EXPECT_TRUE(absl::IsNotFound(signal("nothing")));
  EXPECT_THAT(store_.reads, ElementsAre("current nothing"));
  wire::SignalWorkflowExecutionRequest request;
  request.mutable_workflow_execution()->set_workflow_id("nothing");
  request.mutable_workflow_execution()->set_run_id("no-run");
  for (int i = 0; i < 2; ++i) {
    EXPECT_TRUE(absl::IsNotFound(ask(&EngineImpl::signal_workflow, request).status()));
  }
  EXPECT_THAT(store_.reads, ElementsAre("current nothing", "run no-run", "run no-run"));
}

TEST_F(OwnerTest, AReadThatFailsFailsItsRequestsAndIsTriedAgainByTheNext) {
  ASSERT_TRUE(start("order").ok());
  restart();
  store_.failing_reads = 1;
  ASSERT_TRUE(absl::IsUnavailable(signal("another")));
  EXPECT_TRUE(absl::IsNotFound(signal("another")));
}

TEST_F(OwnerTest, ACommitThatFailsUndoesAndReadsBack) {
  ASSERT_TRUE(start("order").ok());
  store_.reads.clear();
  store_.refuses = [](const store::Batch&) { return absl::UnavailableError("the disk is away"); };
  EXPECT_TRUE(absl::IsUnavailable(signal("order")));
  store_.refuses = [](const store::Batch&) { return absl::OkStatus(); };
  EXPECT_EQ(stored("order").signal_count(), 0);
  world_.run_for(absl::Seconds(1));
  EXPECT_THAT(store_.reads, ElementsAre("current order", HasSubstr("run ")));
  EXPECT_THAT(store_.scans, ElementsAre("outbox "));
  // The task was handed out before; the run that came back hands it out again, and one of the two counts.
  const auto task = poll_workflow_task();
  ASSERT_TRUE(task.ok());
  EXPECT_TRUE(complete(*task).ok());
  EXPECT_TRUE(signal("order").ok());
  EXPECT_EQ(stored("order").signal_count(), 1);
}

TEST_F(OwnerTest, RequestsThatComeWhileARunIsReadBackGoOn) {
  ASSERT_TRUE(start("order").ok());
  int failing = 1;
  store_.refuses = [&](const store::Batch&) {
    return failing-- > 0 ? absl::UnavailableError("the disk is away") : absl::OkStatus();
  };
  EXPECT_TRUE(absl::IsUnavailable(signal("order")));
  EXPECT_TRUE(signal("order").ok());
  EXPECT_EQ(stored("order").signal_count(), 1);
}

TEST_F(OwnerTest, WhenTheLeaseIsLostNothingIsTakenOnAnyMore) {
  ASSERT_TRUE(start("order").ok());
  *memory_.acquire(0, store::kSlots, "another");
  EXPECT_TRUE(absl::IsUnavailable(signal("order")));
  EXPECT_TRUE(absl::IsAborted(fatal_)) << fatal_;
  const size_t before = commits();
  EXPECT_TRUE(absl::IsUnavailable(signal("order")));
  EXPECT_TRUE(absl::IsUnavailable(start("another")));
  EXPECT_EQ(commits(), before);
}

TEST_F(OwnerTest, TooManyRequestsAreRefused) {
  end();
  owner_limits_.waiting_per_workflow = 2;
  begin();
  std::vector<absl::Status> answers;
  wire::SignalWorkflowExecutionRequest request;
  request.mutable_workflow_execution()->set_workflow_id("order");
  for (int i = 0; i < 4; ++i) {
    engine_->signal_workflow(call(), request, [&](const auto& answer) { answers.push_back(answer.status()); });
  }
  world_.run_ready();
  ASSERT_THAT(answers, SizeIs(4));
  EXPECT_TRUE(absl::IsResourceExhausted(answers[0])) << answers[0];
  EXPECT_TRUE(absl::IsResourceExhausted(answers[1]));
  EXPECT_TRUE(absl::IsNotFound(answers[2]));
  EXPECT_TRUE(absl::IsNotFound(answers[3]));
}

TEST_F(OwnerTest, ATimeoutIsATransition) {
  ASSERT_TRUE(start("order").ok());
  ASSERT_TRUE(poll_workflow_task().ok());
  world_.run_for(absl::Seconds(9));
  EXPECT_EQ(commits(), 2U);  // the start of the workflow, and that of a task that takes long
  EXPECT_EQ(stored("order").workflow_task().attempt(), 1);
  world_.run_for(absl::Seconds(2));
  EXPECT_EQ(commits(), 3U);
  EXPECT_EQ(stored("order").workflow_task().attempt(), 2);
  const auto again = poll_workflow_task();
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->head.attempt(), 2);
}

TEST_F(OwnerTest, RunsThatSleptThroughARestartWake) {
  wire::StartWorkflowExecutionRequest request;
  request.set_namespace_("default");
  request.set_workflow_id("order");
  request.mutable_workflow_type()->set_name("order");
  request.mutable_task_queue()->set_name("orders");
  request.set_request_id("start");
  *request.mutable_workflow_start_delay() = google::protobuf::util::TimeUtil::SecondsToDuration(30);
  ASSERT_TRUE(ask(&EngineImpl::start_workflow, request).ok());
  restart();
  world_.run_for(absl::Seconds(29));
  EXPECT_FALSE(stored("order").has_workflow_task());
  world_.run_for(absl::Seconds(2));
  EXPECT_TRUE(stored("order").has_workflow_task());
  EXPECT_THAT(store_.reads, ElementsAre(HasSubstr("current"), HasSubstr("run ")));
}

TEST_F(OwnerTest, WhatIsOverItsRetentionGoes) {
  ASSERT_TRUE(start("order").ok());
  ASSERT_TRUE(terminate("order").ok());
  world_.run_for(absl::Hours(71));
  EXPECT_EQ(stored("order").workflow_id(), "order");
  world_.run_for(absl::Hours(2));
  EXPECT_EQ(stored("order").workflow_id(), "");
  EXPECT_TRUE(absl::IsNotFound(describe("order").status()));
  ASSERT_FALSE(store_.batches.back().deleted_runs.empty());
}

TEST_F(OwnerTest, RunsLeaveMemoryAndComeBack) {
  end();
  owner_limits_.cache_bytes = 8 << 10;
  begin();
  for (int i = 0; i < 20; ++i) order("order" + std::to_string(i), {activity("a")});
  store_.reads.clear();
  ASSERT_TRUE(signal("order0").ok());
  ASSERT_THAT(store_.reads, SizeIs(2));
  EXPECT_EQ(stored("order0").signal_count(), 1);
  ASSERT_TRUE(signal("order0").ok());
  EXPECT_THAT(store_.reads, SizeIs(2));
}

TEST_F(OwnerTest, ADuplicateStartIsOneRun) {
  wire::StartWorkflowExecutionRequest request;
  request.set_namespace_("default");
  request.set_workflow_id("order");
  request.mutable_workflow_type()->set_name("order");
  request.mutable_task_queue()->set_name("orders");
  request.set_request_id("the same");
  const auto first = ask(&EngineImpl::start_workflow, request);
  const auto second = ask(&EngineImpl::start_workflow, request);
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_EQ(first->run_id(), second->run_id());
  EXPECT_EQ(commits(), 1U);
  request.set_request_id("another");
  EXPECT_TRUE(absl::IsAlreadyExists(ask(&EngineImpl::start_workflow, request).status()));
  EXPECT_EQ(commits(), 1U);
}

TEST_F(OwnerTest, ARunWhoseStateIsOverTheLimitIsTerminated) {
  limits_.state_error_bytes = 20'000;
  restart();
  order("order", {activity("a")});
  order("neighbour", {activity("a")});
  const auto task = poll_activity_task();
  ASSERT_TRUE(task.ok());
  EXPECT_TRUE(heartbeat(task->task_token(), std::string(10'000, 'x')).ok());
  EXPECT_EQ(stored("order").status(), enums::WORKFLOW_EXECUTION_STATUS_RUNNING);
  EXPECT_TRUE(heartbeat(task->task_token(), std::string(30'000, 'x')).ok());
  EXPECT_EQ(stored("order").status(), enums::WORKFLOW_EXECUTION_STATUS_TERMINATED);
  EXPECT_LT(stored("order").ByteSizeLong(), 20'000U);
  EXPECT_THAT(store_.batches.back().history.back().chunk.bytes, HasSubstr("Workflow state size exceeds limit."));
  EXPECT_TRUE(signal("neighbour").ok());
  EXPECT_TRUE(absl::IsNotFound(signal("order")));
}

TEST_F(OwnerTest, ATaskWhoseRunCannotBeReadIsHandedOutLater) {
  end();
  owner_limits_.cache_bytes = 8 << 10;
  begin();
  order("order", {activity("a")});
  ASSERT_TRUE(start("another").ok());
  world_.run_for(absl::Seconds(2));
  end_memory();  // both leave; their tasks are in their queues
  bool workflow_answered = false;
  bool activity_answered = false;
  store_.failing_reads = 4;
  wire::PollWorkflowTaskQueueRequest poll;
  poll.mutable_task_queue()->set_name("orders");
  engine_->poll_workflow_task(call(), poll, [&](absl::StatusOr<WorkflowTask> task) {
    workflow_answered = task.ok() && task->head.workflow_execution().workflow_id() == "another";
  });
  wire::PollActivityTaskQueueRequest activity_poll;
  activity_poll.mutable_task_queue()->set_name("orders");
  engine_->poll_activity_task(call(), activity_poll, [&](absl::StatusOr<wire::PollActivityTaskQueueResponse> task) {
    activity_answered = task.ok() && task->activity_id() == "a";
  });
  world_.run_ready();
  EXPECT_FALSE(workflow_answered);
  EXPECT_FALSE(activity_answered);
  world_.run_for(absl::Seconds(5));
  EXPECT_TRUE(workflow_answered);
  EXPECT_TRUE(activity_answered);
}

TEST_F(OwnerTest, QueriesThatWaitEndWithTheirRun) {
  ASSERT_TRUE(start("order").ok());
  ASSERT_TRUE(terminate("order").ok());
  world_.run_for(absl::Hours(72) - absl::Seconds(5));
  wire::QueryWorkflowRequest query;
  query.mutable_execution()->set_workflow_id("order");
  query.mutable_query()->set_query_type("state");
  absl::Status answer = absl::UnknownError("not answered");
  engine_->query(call(), query, [&](const auto& response) { answer = response.status(); });
  world_.run_for(absl::Seconds(10));
  EXPECT_TRUE(absl::IsNotFound(answer)) << answer;
}

TEST_F(OwnerTest, ACompletionThatIsRefusedAnswersNoQuery) {
  order("order", {activity("a")});
  ASSERT_TRUE(signal("order").ok());
  wire::QueryWorkflowRequest query;
  query.mutable_execution()->set_workflow_id("order");
  query.mutable_query()->set_query_type("state");
  std::vector<absl::Status> answers;
  engine_->query(call(), query, [&](const auto& response) { answers.push_back(response.status()); });
  world_.run_ready();
  const auto task = poll_workflow_task();
  ASSERT_TRUE(task.ok());
  ASSERT_EQ(task->head.queries().size(), 1U);
  wire::RespondWorkflowTaskCompletedRequest completion;
  completion.set_task_token(task->head.task_token());
  (*completion.mutable_query_results())[task->head.queries().begin()->first].set_result_type(
      enums::QUERY_RESULT_TYPE_ANSWERED);
  *completion.add_commands() = activity("a");  // there is one with this id
  EXPECT_FALSE(ask(&EngineImpl::complete_workflow_task, completion).ok());
  EXPECT_THAT(answers, IsEmpty());
  const auto again = poll_workflow_task();
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->head.queries().size(), 1U);
}

TEST_F(OwnerTest, TheCloseEventOfAnOpenRunIsNone) {
  ASSERT_TRUE(start("order").ok());
  HistoryRequest request;
  request.workflow_id = "order";
  request.close_event_only = true;
  const auto open = ask(&EngineImpl::read_history, request);
  ASSERT_TRUE(open.ok());
  EXPECT_EQ(open->history, "");
  EXPECT_EQ(open->next_page_token, "");
  ASSERT_TRUE(terminate("order").ok());
  const auto closed = ask(&EngineImpl::read_history, request);
  ASSERT_TRUE(closed.ok());
  EXPECT_EQ(ids(closed->history), std::to_string(stored("order").next_event_id() - 1));
}

TEST_F(OwnerTest, APageOfHistoryInReverseIsBoundedInBytes) {
  ASSERT_TRUE(start("order").ok());
  for (int i = 0; i < 6; ++i) {
    wire::SignalWorkflowExecutionRequest request;
    request.mutable_workflow_execution()->set_workflow_id("order");
    request.set_signal_name("large");
    request.mutable_input()->add_payloads()->set_data(std::string(1 << 20, 'x'));
    ASSERT_TRUE(ask(&EngineImpl::signal_workflow, request).ok());
  }
  HistoryRequest request;
  request.workflow_id = "order";
  std::string all;
  int pages = 0;
  do {
    const auto page = ask(&EngineImpl::read_history_reverse, request);
    ASSERT_TRUE(page.ok());
    EXPECT_LE(page->history.size(), size_t{3} << 20);
    all += (all.empty() ? "" : " ") + ids(page->history);
    request.next_page_token = page->next_page_token;
  } while (!request.next_page_token.empty() && ++pages < 20);
  EXPECT_EQ(all, "8 7 6 5 4 3 2 1");
}

TEST_F(OwnerTest, HighSlotsHaveTheirTurnWhenAQueueIsFull) {
  end();
  backlog_ = 3;
  owner_limits_.scan_page = 2;
  begin();
  for (int i = 0; i < 12; ++i) ASSERT_TRUE(start("order" + std::to_string(i)).ok());
  std::set<std::string> seen;
  for (int i = 0; i < 12; ++i) {
    const auto task = poll_workflow_task();
    ASSERT_TRUE(task.ok()) << i;
    seen.insert(task->head.workflow_execution().workflow_id());
    world_.run_for(absl::Milliseconds(100));
  }
  EXPECT_THAT(seen, SizeIs(12));
}

}  // namespace
}  // namespace skald::shard
