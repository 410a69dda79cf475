#include "engine/worker/activity_worker.h"

#include <gtest/gtest.h>

#include "engine/base/simulated.h"
#include "tests/unit/worker/fake_transport.h"

namespace skald::worker {
namespace {

using temporal::api::common::v1::Payloads;
using temporal::api::failure::v1::Failure;

// Activities that a test answers itself.
class HeldActivities final : public ActivityExecutor {
 public:
  struct Held {
    wire::PollActivityTaskQueueResponse task;
    Heartbeat heartbeat;
    std::function<void(ActivityOutcome)> done;
  };
  void execute(const wire::PollActivityTaskQueueResponse& task, Heartbeat heartbeat,
               std::function<void(ActivityOutcome)> done) override {
    running.push_back({task, std::move(heartbeat), std::move(done)});
  }
  std::vector<Held> running;
};

class ActivityWorkerTest : public testing::Test {
 protected:
  ActivityWorkerTest() {
    ActivityWorkerOptions options{.namespace_name = "shop", .task_queue = "orders", .identity = "me", .polls = 2};
    options.max_running = 3;
    options.grace = absl::ZeroDuration();
    worker_ = std::make_unique<ActivityWorker>(server_, activities_, Timing{world_.clock(), *executor_}, options);
    worker_->start();
  }
  static wire::PollActivityTaskQueueResponse task(const std::string& token) {
    wire::PollActivityTaskQueueResponse made;
    made.set_task_token(token);
    made.set_attempt(1);
    made.mutable_activity_type()->set_name("payment.charge");
    made.mutable_workflow_execution()->set_workflow_id("order-7");
    return made;
  }
  HeldActivities::Held& begin(const std::string& token = "t") {
    server_.activity_polls.answer(task(token));
    return activities_.running.back();
  }

  base::SimulatedWorld world_;
  std::unique_ptr<base::Executor> executor_ = world_.make_executor();
  FakeTransport server_;
  HeldActivities activities_;
  std::unique_ptr<ActivityWorker> worker_;
};

TEST_F(ActivityWorkerTest, RunsWhatItsQueueBringsAndAnswers) {
  auto& activity = begin("token-1");
  EXPECT_EQ(server_.activity_polls.seen[0].task_queue().name(), "orders");
  Payloads result;
  result.add_payloads()->set_data("42");
  activity.done(result);
  ASSERT_EQ(server_.completions.seen.size(), 1u);
  EXPECT_EQ(server_.completions.seen[0].task_token(), "token-1");
  EXPECT_EQ(server_.completions.seen[0].namespace_(), "shop");
  EXPECT_EQ(server_.completions.seen[0].result().payloads(0).data(), "42");
}

TEST_F(ActivityWorkerTest, PausesPollingWhileAllSlotsAreTaken) {
  for (int i = 0; i < 3; ++i) begin();
  EXPECT_TRUE(server_.activity_polls.open.empty());
  activities_.running[0].done(Payloads());
  EXPECT_TRUE(server_.activity_polls.open.empty()) << "the slot is free when the server has the answer";
  server_.completions.answer(wire::RespondActivityTaskCompletedResponse());
  EXPECT_EQ(server_.activity_polls.open.size(), 1u);
}

TEST_F(ActivityWorkerTest, BacksOffFromAServerThatRefusesPolls) {
  for (int i = 0; i < 2; ++i) server_.activity_polls.answer(absl::PermissionDeniedError("no"));
  EXPECT_TRUE(server_.activity_polls.open.empty());
  world_.run_for(absl::Minutes(1));
  EXPECT_EQ(server_.activity_polls.open.size(), 1u);
}

TEST_F(ActivityWorkerTest, ReportsFailuresWithDetailsThatWereNotSentYet) {
  auto& activity = begin();
  for (const char* text : {"1", "2"}) {
    Payloads details;
    details.add_payloads()->set_data(text);
    activity.heartbeat(details, [] {});
    if (*text == '1') server_.heartbeats.answer(wire::RecordActivityTaskHeartbeatResponse());
  }
  Failure failure;
  failure.set_message("declined");
  activity.done(failure);
  ASSERT_EQ(server_.failures.seen.size(), 1u);
  EXPECT_EQ(server_.failures.seen[0].failure().message(), "declined");
  EXPECT_EQ(server_.failures.seen[0].last_heartbeat_details().payloads(0).data(), "2");
}

TEST_F(ActivityWorkerTest, AnswersCancelledOnlyIfTheServerAskedForIt) {
  auto& asked = begin("asked");
  bool told = false;
  asked.heartbeat(Payloads(), [&told] { told = true; });
  wire::RecordActivityTaskHeartbeatResponse cancel;
  cancel.set_cancel_requested(true);
  server_.heartbeats.answer(cancel);
  EXPECT_TRUE(told);
  asked.done(ActivityCancelled{});
  EXPECT_EQ(server_.cancellations.seen.size(), 1u);
  begin("of its own accord").done(ActivityCancelled{});
  ASSERT_EQ(server_.failures.seen.size(), 1u);
  EXPECT_FALSE(server_.failures.seen[0].failure().application_failure_info().non_retryable());
}

TEST_F(ActivityWorkerTest, AResultThatIsTooLargeFailsTheActivityForGood) {
  begin().done(Payloads());
  server_.completions.answer(absl::ResourceExhaustedError("grpc: received message larger than max (5 vs. 4)"));
  ASSERT_EQ(server_.failures.seen.size(), 1u);
  EXPECT_EQ(server_.failures.seen[0].failure().application_failure_info().type(), "ResultTooLarge");
  EXPECT_TRUE(server_.failures.seen[0].failure().application_failure_info().non_retryable());
}

TEST_F(ActivityWorkerTest, StopTellsTheServerAndReturnsWhenAllIsAnswered) {
  auto& activity = begin();
  worker_->begin_stop();
  ASSERT_EQ(server_.shutdowns.seen.size(), 1u);
  EXPECT_EQ(server_.shutdowns.seen[0].task_queue(), "orders");
  activity.done(Payloads());
  server_.completions.answer(wire::RespondActivityTaskCompletedResponse());
  server_.shutdown();
  EXPECT_TRUE(worker_->stop().empty());
}

TEST_F(ActivityWorkerTest, StopNamesActivitiesThatDoNotAnswerAndDropsTheirLateAnswers) {
  auto& activity = begin();
  server_.shutdown();
  EXPECT_EQ(worker_->stop(), std::vector<std::string>{"payment.charge of order-7 (attempt 1)"});
  activity.done(Payloads());
  EXPECT_TRUE(server_.completions.seen.empty());
}

}  // namespace
}  // namespace skald::worker
