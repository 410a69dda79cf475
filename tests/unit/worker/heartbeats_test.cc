#include "engine/worker/heartbeats.h"

#include <gtest/gtest.h>

#include "engine/base/simulated.h"
#include "tests/unit/worker/fake_transport.h"

namespace skald::worker {
namespace {

class HeartbeatsTest : public testing::Test {
 protected:
  std::shared_ptr<Heartbeats> heartbeats(absl::Duration interval) {
    wire::RecordActivityTaskHeartbeatRequest head;
    head.set_task_token("token");
    return std::make_shared<Heartbeats>(
        [this](auto request, auto done) { server_.heartbeat(std::move(request), std::move(done)); },
        Timing{world_.clock(), *executor_}, head, interval);
  }
  static Heartbeats::Details details(const std::string& text) {
    Heartbeats::Details made;
    made.add_payloads()->set_data(text);
    return made;
  }
  void record(Heartbeats& heartbeats, const std::string& text) {
    heartbeats.record(details(text), [this] { ++cancels_; });
  }
  std::vector<std::string> sent() const {
    std::vector<std::string> texts;
    for (const auto& request : server_.heartbeats.seen) texts.push_back(request.details().payloads(0).data());
    return texts;
  }

  base::SimulatedWorld world_;
  std::unique_ptr<base::Executor> executor_ = world_.make_executor();
  FakeTransport server_;
  int cancels_ = 0;
};

TEST_F(HeartbeatsTest, SendsTheFirstAtOnceAndThenTheNewestOnceAnInterval) {
  auto beats = heartbeats(absl::Seconds(8));
  record(*beats, "1");
  EXPECT_EQ(sent(), (std::vector<std::string>{"1"}));
  server_.heartbeats.answer(wire::RecordActivityTaskHeartbeatResponse());
  record(*beats, "2");
  record(*beats, "3");
  world_.run_for(absl::Seconds(7));
  EXPECT_EQ(sent().size(), 1u);
  world_.run_for(absl::Seconds(2));
  EXPECT_EQ(sent(), (std::vector<std::string>{"1", "3"}));
  server_.heartbeats.answer(wire::RecordActivityTaskHeartbeatResponse());
  world_.run_for(absl::Minutes(5));
  EXPECT_EQ(sent().size(), 2u) << "a silent activity must time out";
}

TEST_F(HeartbeatsTest, IntervalFollowsTheTimeout) {
  wire::PollActivityTaskQueueResponse task;
  EXPECT_EQ(Heartbeats::interval(task), absl::Seconds(30));
  task.mutable_heartbeat_timeout()->set_seconds(10);
  EXPECT_EQ(Heartbeats::interval(task), absl::Seconds(8));
  task.mutable_heartbeat_timeout()->set_seconds(600);
  EXPECT_EQ(Heartbeats::interval(task), absl::Seconds(60));
}

TEST_F(HeartbeatsTest, CancellationReachesTheActivityOnceAndHeartbeatsGoOn) {
  auto beats = heartbeats(absl::Seconds(1));
  for (int i = 0; i < 3; ++i) {
    record(*beats, "x");
    world_.run_for(absl::Seconds(2));
    wire::RecordActivityTaskHeartbeatResponse answer;
    answer.set_cancel_requested(true);
    server_.heartbeats.answer(answer);
  }
  EXPECT_EQ(cancels_, 1);
  EXPECT_TRUE(beats->cancel_requested());
  EXPECT_EQ(sent().size(), 3u);
}

TEST_F(HeartbeatsTest, AnAttemptThatTheServerDoesNotKnowIsToldToStop) {
  auto beats = heartbeats(absl::Seconds(1));
  record(*beats, "x");
  server_.heartbeats.answer(absl::NotFoundError("timed out long ago"));
  EXPECT_EQ(cancels_, 1);
  EXPECT_FALSE(beats->cancel_requested());
  record(*beats, "y");
  world_.run_for(absl::Minutes(1));
  EXPECT_EQ(sent().size(), 1u);
}

TEST_F(HeartbeatsTest, APausedAttemptIsToldToStop) {
  auto beats = heartbeats(absl::Seconds(1));
  record(*beats, "x");
  wire::RecordActivityTaskHeartbeatResponse answer;
  answer.set_activity_paused(true);
  server_.heartbeats.answer(answer);
  EXPECT_EQ(cancels_, 1);
  EXPECT_FALSE(beats->cancel_requested());
}

TEST_F(HeartbeatsTest, ALostHeartbeatIsSentAgainSoon) {
  auto beats = heartbeats(absl::Seconds(60));
  record(*beats, "x");
  server_.heartbeats.answer(absl::UnavailableError("away"));
  world_.run_for(absl::Seconds(2));
  EXPECT_EQ(sent(), (std::vector<std::string>{"x", "x"}));
}

TEST_F(HeartbeatsTest, ClosingReturnsWhatWasNotSent) {
  auto beats = heartbeats(absl::Seconds(60));
  record(*beats, "1");
  server_.heartbeats.answer(wire::RecordActivityTaskHeartbeatResponse());
  record(*beats, "2");
  const auto unsent = beats->close();
  ASSERT_TRUE(unsent.has_value());
  EXPECT_EQ(unsent->payloads(0).data(), "2");
  world_.run_for(absl::Minutes(5));
  EXPECT_EQ(sent().size(), 1u);
}

}  // namespace
}  // namespace skald::worker
