#include "engine/matching/matching.h"

#include <optional>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include "engine/base/simulated.h"

namespace skald::matching {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using Added = Matching::Added;

class MatchingTest : public testing::Test {
 protected:
  ~MatchingTest() override { matching_.stop(); }

  static TaskRef task(const std::string& workflow) { return {{"ns", workflow, "run"}, 2, 1, ""}; }

  // Polls, and notes who got what: "worker:task", or "worker:-".
  Matching::PollId poll(const std::string& worker, absl::Duration patience = absl::Minutes(1)) {
    return matching_.poll(queue_, {worker, world_.clock().now() + patience},
                          [this, worker](std::optional<TaskRef> got) {
                            answers_.push_back(worker + ":" + (got ? got->run.workflow_id : "-"));
                          });
  }

  base::SimulatedWorld world_;
  std::unique_ptr<base::Executor> executor_ = world_.make_executor();
  Matching matching_{world_.clock(), *executor_, {.backlog_per_queue = 4, .pollers_per_queue = 2}};
  const QueueKey queue_{"ns", TaskKind::kWorkflow, "orders"};
  std::vector<std::string> answers_;
};

TEST_F(MatchingTest, GivesTasksToPollersFirstInFirstOut) {
  EXPECT_EQ(matching_.add(queue_, task("a")), Added::kQueued);
  EXPECT_EQ(matching_.add(queue_, task("b")), Added::kQueued);
  poll("x");
  poll("y");
  EXPECT_THAT(answers_, ElementsAre("x:a", "y:b"));
  EXPECT_EQ(matching_.backlog(queue_), 0u);
}

TEST_F(MatchingTest, ParksPollersUntilATaskComes) {
  poll("x");
  poll("y");
  EXPECT_THAT(answers_, IsEmpty());
  EXPECT_EQ(matching_.add(queue_, task("a")), Added::kMatched);
  EXPECT_THAT(answers_, ElementsAre("x:a"));
}

TEST_F(MatchingTest, KeepsQueuesApart) {
  poll("x");
  EXPECT_EQ(matching_.add({"ns", TaskKind::kActivity, "orders"}, task("a")), Added::kQueued);
  EXPECT_EQ(matching_.add({"other", TaskKind::kWorkflow, "orders"}, task("b")), Added::kQueued);
  EXPECT_THAT(answers_, IsEmpty());
}

TEST_F(MatchingTest, EndsAPollAtItsDeadline) {
  poll("x", absl::Seconds(2));
  world_.run_for(absl::Seconds(1));
  EXPECT_THAT(answers_, IsEmpty());
  world_.run_for(absl::Seconds(2));
  EXPECT_THAT(answers_, ElementsAre("x:-"));
  EXPECT_EQ(matching_.add(queue_, task("a")), Added::kQueued);
}

TEST_F(MatchingTest, EndsAPollThatIsGivenUpAndKeepsItsTaskForAnother) {
  const auto id = poll("x");
  matching_.end_poll(queue_, id);
  matching_.end_poll(queue_, id);
  EXPECT_THAT(answers_, ElementsAre("x:-"));
  matching_.add(queue_, task("a"));
  poll("y");
  EXPECT_THAT(answers_, ElementsAre("x:-", "y:a"));
}

TEST_F(MatchingTest, EndsThePollsOfOneWorker) {
  poll("x");
  poll("y");
  matching_.end_polls(queue_, "x");
  EXPECT_THAT(answers_, ElementsAre("x:-"));
  matching_.end_polls(queue_, "");
  EXPECT_THAT(answers_, ElementsAre("x:-", "y:-"));
}

TEST_F(MatchingTest, TurnsPollersAwayWhenThereAreTooMany) {
  poll("x");
  poll("y");
  poll("z");
  EXPECT_THAT(answers_, ElementsAre("z:-"));
}

TEST_F(MatchingTest, RefusesTasksBeyondItsBacklogAndSaysWhenThereIsRoom) {
  int room = 0;
  matching_.on_room([&] { ++room; });
  for (int i = 0; i < 4; ++i) EXPECT_EQ(matching_.add(queue_, task(std::to_string(i))), Added::kQueued);
  EXPECT_EQ(matching_.add(queue_, task("too many")), Added::kFull);
  poll("x");
  poll("x");
  EXPECT_EQ(room, 0);
  poll("x");
  EXPECT_EQ(room, 1) << "half of the backlog is free";
}

TEST_F(MatchingTest, KnowsWhoPolls) {
  const absl::Time before = world_.clock().now();
  EXPECT_FALSE(matching_.polled_since(queue_, before - absl::Hours(1)));
  poll("x");
  EXPECT_TRUE(matching_.polled_since(queue_, before));
  ASSERT_EQ(matching_.pollers(queue_).size(), 1u);
  EXPECT_EQ(matching_.pollers(queue_)[0].identity, "x");
}

TEST_F(MatchingTest, StopEndsAllPollsNowAndFromNowOn) {
  poll("x");
  matching_.stop();
  poll("y");
  EXPECT_THAT(answers_, ElementsAre("x:-", "y:-"));
}

}  // namespace
}  // namespace skald::matching
