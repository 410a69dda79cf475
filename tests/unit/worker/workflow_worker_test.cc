#include "engine/worker/workflow_worker.h"

#include <gtest/gtest.h>

#include "engine/base/simulated.h"
#include "tests/unit/worker/fake_transport.h"

namespace skald::worker {
namespace {

using namespace temporal::api::enums::v1;
using Completed = wire::RespondWorkflowTaskCompletedRequest;
using Failed = wire::RespondWorkflowTaskFailedRequest;

// Workflow code that a test plays itself.
class HeldWorkflows final : public WorkflowExecutor {
 public:
  struct Held {
    std::shared_ptr<const WorkflowTask> task;
    Executed executed;
  };
  void execute(std::shared_ptr<const WorkflowTask> task, Executed executed) override {
    running.push_back({std::move(task), std::move(executed)});
  }
  void forget(std::string_view run_id) override { forgotten.emplace_back(run_id); }

  // Ends the task that has been running longest.
  void end(std::optional<WorkflowAnswer> answer) {
    Held held = std::move(running.front());
    running.erase(running.begin());
    held.executed(std::move(answer));
  }
  std::vector<Held> running;
  std::vector<std::string> forgotten;
};

class WorkflowWorkerTest : public testing::Test {
 protected:
  WorkflowWorkerTest() {
    WorkflowWorkerOptions options{
        .namespace_name = "shop", .task_queue = "orders", .sticky_queue = "me-1", .identity = "me"};
    options.max_running = 5;
    options.grace = absl::ZeroDuration();
    worker_ = std::make_unique<WorkflowWorker>(server_, workflows_, Timing{world_.clock(), *executor_}, options);
    worker_->start();
  }
  static WorkflowTask task(const std::string& token, const std::string& run = "run-1") {
    WorkflowTask made;
    made.set_task_token(token);
    made.set_attempt(1);
    made.mutable_workflow_execution()->set_workflow_id("order-7");
    made.mutable_workflow_execution()->set_run_id(run);
    made.mutable_history()->add_events()->set_event_id(1);
    return made;
  }
  void accept() { server_.workflow_completions.answer(wire::RespondWorkflowTaskCompletedResponse()); }

  base::SimulatedWorld world_;
  std::unique_ptr<base::Executor> executor_ = world_.make_executor();
  FakeTransport server_;
  HeldWorkflows workflows_;
  std::unique_ptr<WorkflowWorker> worker_;
};

TEST_F(WorkflowWorkerTest, PollsItsTaskQueueAndItsStickyQueue) {
  EXPECT_EQ(server_.workflow_polls.open.size(), 2u);
  EXPECT_EQ(server_.sticky_polls.open.size(), 2u);
  const auto& sticky = server_.sticky_polls.seen[0].task_queue();
  EXPECT_EQ(sticky.name(), "me-1");
  EXPECT_EQ(sticky.normal_name(), "orders");
  EXPECT_EQ(sticky.kind(), TASK_QUEUE_KIND_STICKY);
}

TEST_F(WorkflowWorkerTest, AnswersWithTheTasksTokenAndAsksForTheRunsNextTask) {
  server_.workflow_polls.answer(task("token-1"));
  workflows_.end(Completed());
  ASSERT_EQ(server_.workflow_completions.seen.size(), 1u);
  const auto& answer = server_.workflow_completions.seen[0];
  EXPECT_EQ(answer.task_token(), "token-1");
  EXPECT_EQ(answer.namespace_(), "shop");
  EXPECT_EQ(answer.identity(), "me");
  EXPECT_EQ(answer.sticky_attributes().worker_task_queue().name(), "me-1");
  EXPECT_EQ(answer.sticky_attributes().schedule_to_start_timeout().seconds(), 10);
  EXPECT_TRUE(answer.return_new_workflow_task());
}

TEST_F(WorkflowWorkerTest, AClosedRunIsNotSticky) {
  server_.workflow_polls.answer(task("t"));
  Completed answer;
  answer.add_commands()->set_command_type(COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION);
  workflows_.end(answer);
  EXPECT_FALSE(server_.workflow_completions.seen[0].has_sticky_attributes());
}

TEST_F(WorkflowWorkerTest, ATaskOfTheReplyIsRunInTheSameSlot) {
  server_.workflow_polls.answer(task("t1"));
  workflows_.end(Completed());
  wire::RespondWorkflowTaskCompletedResponse reply;
  *reply.mutable_workflow_task() = task("t2");
  server_.workflow_completions.answer(reply);
  ASSERT_EQ(workflows_.running.size(), 1u);
  EXPECT_EQ(workflows_.running[0].task->task_token(), "t2");
  EXPECT_EQ(server_.workflow_polls.open.size() + server_.sticky_polls.open.size(), 4u);
}

TEST_F(WorkflowWorkerTest, ARunsTasksComeOneAtATime) {
  server_.workflow_polls.answer(task("t1"));
  server_.sticky_polls.answer(task("t2"));
  server_.workflow_polls.answer(task("t3", "run-2"));
  ASSERT_EQ(workflows_.running.size(), 2u);
  workflows_.end(Completed());
  EXPECT_EQ(workflows_.running.size(), 1u) << "the server has not taken the answer yet";
  accept();
  ASSERT_EQ(workflows_.running.size(), 2u);
  EXPECT_EQ(workflows_.running[1].task->task_token(), "t2");
}

TEST_F(WorkflowWorkerTest, ReadsTheRestOfALongHistoryFirst) {
  WorkflowTask begun = task("t");
  begun.set_next_page_token("more");
  server_.workflow_polls.answer(begun);
  EXPECT_TRUE(workflows_.running.empty());
  wire::GetWorkflowExecutionHistoryResponse rest;
  rest.mutable_history()->add_events()->set_event_id(2);
  server_.history_reads.answer(rest);
  ASSERT_EQ(workflows_.running.size(), 1u);
  EXPECT_EQ(workflows_.running[0].task->history().events_size(), 2);
}

TEST_F(WorkflowWorkerTest, ReadsTheWholeHistoryOfARunThatIsNotCached) {
  WorkflowTask sticky = task("t");
  sticky.mutable_history()->mutable_events(0)->set_event_id(3);
  server_.sticky_polls.answer(sticky);
  workflows_.end(std::nullopt);
  ASSERT_EQ(server_.history_reads.seen.size(), 1u);
  EXPECT_EQ(server_.history_reads.seen[0].execution().run_id(), "run-1");
  wire::GetWorkflowExecutionHistoryResponse whole;
  for (int id = 1; id <= 3; ++id) whole.mutable_history()->add_events()->set_event_id(id);
  server_.history_reads.answer(whole);
  ASSERT_EQ(workflows_.running.size(), 1u);
  EXPECT_EQ(workflows_.running[0].task->history().events_size(), 3);
}

TEST_F(WorkflowWorkerTest, AHistoryThatCannotBeReadFailsTheTaskAndOneThatIsGoneDropsIt) {
  WorkflowTask begun = task("t");
  begun.set_next_page_token("more");
  server_.workflow_polls.answer(begun);
  server_.history_reads.answer(absl::UnavailableError("away"));
  EXPECT_EQ(server_.workflow_failures.seen.size(), 1u);
  begun.mutable_workflow_execution()->set_run_id("run-2");
  server_.workflow_polls.answer(begun);
  server_.history_reads.answer(absl::NotFoundError("deleted"));
  EXPECT_EQ(server_.workflow_failures.seen.size(), 1u);
}

TEST_F(WorkflowWorkerTest, OnlyTheFirstAttemptsFailureIsTold) {
  Failed failed;
  failed.set_cause(WORKFLOW_TASK_FAILED_CAUSE_NON_DETERMINISTIC_ERROR);
  server_.workflow_polls.answer(task("t1"));
  workflows_.end(failed);
  ASSERT_EQ(server_.workflow_failures.seen.size(), 1u);
  EXPECT_EQ(server_.workflow_failures.seen[0].cause(), WORKFLOW_TASK_FAILED_CAUSE_NON_DETERMINISTIC_ERROR);
  server_.workflow_failures.answer(wire::RespondWorkflowTaskFailedResponse());
  WorkflowTask second = task("t2");
  second.set_attempt(2);
  server_.workflow_polls.answer(second);
  workflows_.end(failed);
  EXPECT_EQ(server_.workflow_failures.seen.size(), 1u) << "the server's timeout spaces the attempts out";
  EXPECT_EQ(workflows_.forgotten.size(), 2u);
}

TEST_F(WorkflowWorkerTest, ARefusedAnswerIsForgotten) {
  server_.workflow_polls.answer(task("t1"));
  workflows_.end(Completed());
  server_.workflow_completions.answer(absl::NotFoundError("the task timed out"));
  EXPECT_EQ(workflows_.forgotten, std::vector<std::string>{"run-1"});
}

TEST_F(WorkflowWorkerTest, AnAnswerThatIsTooLargeFailsTheTask) {
  server_.workflow_polls.answer(task("t1"));
  workflows_.end(Completed());
  server_.workflow_completions.answer(absl::ResourceExhaustedError("grpc: received message larger than max"));
  ASSERT_EQ(server_.workflow_failures.seen.size(), 1u);
  EXPECT_EQ(server_.workflow_failures.seen[0].cause(), WORKFLOW_TASK_FAILED_CAUSE_GRPC_MESSAGE_TOO_LARGE);
}

TEST_F(WorkflowWorkerTest, QueriesAreAnsweredAsQueries) {
  WorkflowTask query = task("q");
  query.mutable_query()->set_query_type("status");
  server_.sticky_polls.answer(query);
  wire::RespondQueryTaskCompletedRequest answer;
  answer.set_completed_type(QUERY_RESULT_TYPE_ANSWERED);
  workflows_.end(answer);
  ASSERT_EQ(server_.query_answers.seen.size(), 1u);
  EXPECT_EQ(server_.query_answers.seen[0].task_token(), "q");
  EXPECT_EQ(server_.query_answers.seen[0].namespace_(), "shop");
}

TEST_F(WorkflowWorkerTest, StopGivesTheStickyQueueUpAndLetsRunningTasksEnd) {
  server_.workflow_polls.answer(task("t1"));
  worker_->begin_stop();
  ASSERT_EQ(server_.shutdowns.seen.size(), 1u);
  EXPECT_EQ(server_.shutdowns.seen[0].sticky_task_queue(), "me-1");
  workflows_.end(Completed());
  EXPECT_FALSE(server_.workflow_completions.seen[0].has_sticky_attributes());
  accept();
  server_.shutdown();
  EXPECT_TRUE(worker_->stop().empty());
}

TEST_F(WorkflowWorkerTest, StopNamesTheWorkflowsWhoseTasksDoNotEnd) {
  server_.workflow_polls.answer(task("t1"));
  server_.shutdown();
  EXPECT_EQ(worker_->stop(), std::vector<std::string>{"order-7"});
  workflows_.end(Completed());
  EXPECT_TRUE(server_.workflow_completions.seen.empty());
}

}  // namespace
}  // namespace skald::worker
