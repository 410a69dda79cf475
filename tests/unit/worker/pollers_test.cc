#include "engine/worker/pollers.h"

#include <deque>

#include <gtest/gtest.h>

#include "engine/base/simulated.h"

namespace skald::worker {
namespace {

class PollersTest : public testing::Test {
 protected:
  // Queue number `queue` with this many polls at a time.
  Pollers::Queue queue(size_t queue, int polls) {
    return {.polls = polls, .open = [this, queue](Pollers::Ended ended) { open_[queue].push_back(std::move(ended)); }};
  }
  std::unique_ptr<Pollers> pollers(std::vector<Pollers::Queue> queues, int slots) {
    auto made = std::make_unique<Pollers>(std::move(queues), slots, Timing{world_.clock(), *executor_},
                                          base::make_seeded_random(1),
                                          [this](const absl::Status& status) { observed_.push_back(status.code()); });
    made->start();
    return made;
  }
  void answer(size_t queue, absl::StatusOr<bool> with) {
    auto ended = std::move(open_[queue].front());
    open_[queue].pop_front();
    ended(std::move(with));
  }
  // How long a queue without polls is left alone.
  absl::Duration pause(size_t queue) {
    const absl::Time begun = world_.clock().now();
    while (open_[queue].empty() && world_.step()) {
    }
    return world_.clock().now() - begun;
  }

  base::SimulatedWorld world_;
  std::unique_ptr<base::Executor> executor_ = world_.make_executor();
  std::deque<Pollers::Ended> open_[2];
  std::vector<absl::StatusCode> observed_;
};

TEST_F(PollersTest, KeepsItsNumberOfPollsOpen) {
  auto polls = pollers({queue(0, 3)}, 10);
  EXPECT_EQ(open_[0].size(), 3u);
  answer(0, false);
  EXPECT_EQ(open_[0].size(), 3u);
  answer(0, true);
  EXPECT_EQ(open_[0].size(), 3u);
}

TEST_F(PollersTest, AsksForNoMoreThanItHasSlotsFor) {
  auto polls = pollers({queue(0, 5)}, 3);
  EXPECT_EQ(open_[0].size(), 3u);
  answer(0, true);
  answer(0, true);
  EXPECT_EQ(open_[0].size(), 1u);
  answer(0, true);
  EXPECT_TRUE(open_[0].empty());
  polls->release();
  EXPECT_EQ(open_[0].size(), 1u);
}

TEST_F(PollersTest, LeavesTheLastSlotToTheQueueWithoutPolls) {
  auto polls = pollers({queue(0, 5), queue(1, 5)}, 4);
  while (!open_[0].empty()) answer(0, true);
  while (!open_[1].empty()) answer(1, true);
  polls->release();
  polls->release();
  EXPECT_EQ(open_[0].size(), 1u);
  EXPECT_EQ(open_[1].size(), 1u);
}

TEST_F(PollersTest, PausesLongerAfterEachFailureUpToTenSeconds) {
  auto polls = pollers({queue(0, 1)}, 10);
  absl::Duration longest = absl::Milliseconds(200);
  for (int i = 0; i < 12; ++i) {
    answer(0, absl::UnavailableError("away"));
    ASSERT_TRUE(open_[0].empty());
    const absl::Duration waited = pause(0);
    EXPECT_GE(waited, longest / 2) << i;
    EXPECT_LE(waited, longest) << i;
    longest = std::min(longest * 2, absl::Seconds(10));
  }
}

TEST_F(PollersTest, FailuresAtTheSameTimeCountOnce) {
  auto polls = pollers({queue(0, 4)}, 10);
  for (int i = 0; i < 4; ++i) answer(0, absl::UnavailableError("away"));
  EXPECT_LE(pause(0), absl::Milliseconds(200));
}

TEST_F(PollersTest, ProbesWithOnePollUntilItIsAnswered) {
  auto polls = pollers({queue(0, 4)}, 10);
  for (int i = 0; i < 4; ++i) answer(0, absl::UnavailableError("away"));
  world_.run_for(absl::Minutes(1));
  EXPECT_EQ(open_[0].size(), 1u);
  answer(0, false);
  EXPECT_EQ(open_[0].size(), 4u);
}

TEST_F(PollersTest, CancelledPollsBeforeTheStopAreFailuresToo) {
  auto polls = pollers({queue(0, 1)}, 10);
  answer(0, absl::CancelledError("a proxy went away"));
  EXPECT_TRUE(open_[0].empty());
  world_.run_for(absl::Seconds(1));
  EXPECT_EQ(open_[0].size(), 1u);
}

TEST_F(PollersTest, OneQueuesFailureDoesNotHoldUpTheOther) {
  auto polls = pollers({queue(0, 1), queue(1, 1)}, 10);
  answer(0, absl::UnavailableError("away"));
  answer(1, true);
  EXPECT_EQ(open_[1].size(), 1u);
}

TEST_F(PollersTest, OpensNothingAfterTheStop) {
  auto polls = pollers({queue(0, 2)}, 10);
  answer(0, true);
  polls->stop();
  answer(0, false);
  answer(0, absl::UnavailableError("away"));
  world_.run_for(absl::Minutes(1));
  EXPECT_TRUE(open_[0].empty());
  EXPECT_TRUE(polls->wait_polls(absl::ZeroDuration()));
  EXPECT_FALSE(polls->wait_idle(absl::ZeroDuration())) << "a task still holds its slot";
  polls->release();
  EXPECT_TRUE(polls->wait_idle(absl::ZeroDuration()));
}

TEST_F(PollersTest, TellsItsObserverHowEachPollEnded) {
  auto polls = pollers({queue(0, 2)}, 10);
  answer(0, absl::NotFoundError("no such namespace"));
  answer(0, true);
  EXPECT_EQ(observed_, (std::vector{absl::StatusCode::kNotFound, absl::StatusCode::kOk}));
}

TEST_F(PollersTest, AnswersWithinTheCallDoNotRecurse) {
  int polls = 0;
  Pollers::Queue at_once{.polls = 1, .open = [&polls](Pollers::Ended ended) {
                           if (++polls < 100'000) return ended(false);
                           ended(absl::UnavailableError("away"));
                         }};
  auto made = pollers({std::move(at_once)}, 10);
  EXPECT_EQ(polls, 100'000);
}

}  // namespace
}  // namespace skald::worker
