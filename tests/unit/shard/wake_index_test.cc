#include "engine/shard/wake_index.h"

#include "tests/unit/shard/store_fixture.h"

namespace skald::shard {
namespace {

class WakeIndexTest : public StoreTest {
 protected:
  CachedRun& run(const std::string& id) { return new_run(cache_, id, id); }
  absl::Time in(int seconds) const { return start_ + absl::Seconds(seconds); }

  const absl::Time start_ = now();
  RunCache cache_{{.bytes = 1 << 20, .tail_bytes = 1 << 20}, no_hooks()};
  std::vector<std::string> due_;  // "RUN SECONDS"
  WakeIndex index_{world_.clock(), *executor_, [this](const store::RunKey& key) {
                     due_.push_back(key.run_id + " " + std::to_string(absl::ToInt64Seconds(now() - start_)));
                   }};
};

TEST_F(WakeIndexTest, ARunIsDueAtItsTimeAndOnce) {
  CachedRun& order = run("order");
  index_.set(order, in(5));
  world_.run_for(absl::Seconds(4));
  EXPECT_THAT(due_, IsEmpty());
  world_.run_for(absl::Seconds(60));
  EXPECT_THAT(due_, ElementsAre("order 5"));
  EXPECT_EQ(order.wake, absl::InfiniteFuture());
}

TEST_F(WakeIndexTest, RunsAreDueInTheOrderOfTheirTimes) {
  index_.set(run("late"), in(9));
  index_.set(run("early"), in(3));
  index_.set(run("middle"), in(6));
  world_.run_for(absl::Seconds(60));
  EXPECT_THAT(due_, ElementsAre("early 3", "middle 6", "late 9"));
}

TEST_F(WakeIndexTest, RunsOfOneTimeAreDueTogether) {
  index_.set(run("a"), in(3));
  index_.set(run("b"), in(3));
  world_.run_for(absl::Seconds(3));
  EXPECT_THAT(due_, ElementsAre("a 3", "b 3"));
}

TEST_F(WakeIndexTest, ANewTimeTakesThePlaceOfTheOld) {
  CachedRun& order = run("order");
  index_.set(order, in(5));
  index_.set(order, in(8));
  world_.run_for(absl::Seconds(60));
  EXPECT_THAT(due_, ElementsAre("order 8"));
  index_.set(order, in(100));
  index_.set(order, in(70));
  world_.run_for(absl::Seconds(60));
  EXPECT_THAT(due_, ElementsAre("order 8", "order 70"));
}

TEST_F(WakeIndexTest, ARunWithoutATimeIsNeverDue) {
  CachedRun& order = run("order");
  index_.set(order, in(5));
  index_.set(order, absl::InfiniteFuture());
  CachedRun& other = run("other");
  index_.set(other, in(6));
  index_.erase(other);
  EXPECT_EQ(other.wake, absl::InfiniteFuture());
  world_.run_for(absl::Seconds(60));
  EXPECT_THAT(due_, IsEmpty());
}

TEST_F(WakeIndexTest, ATimeThatHasPassedIsDueAtOnce) {
  world_.run_for(absl::Seconds(10));
  index_.set(run("order"), in(5));
  world_.run_ready();
  EXPECT_THAT(due_, ElementsAre("order 10"));
}

TEST_F(WakeIndexTest, SleepingRunsAreDueToo) {
  index_.set(run("awake"), in(7));
  index_.add_sleeping(in(4), {"ns", "asleep", "asleep"});
  index_.add_sleeping(in(9), {"ns", "deeply", "deeply"});
  world_.run_for(absl::Seconds(60));
  EXPECT_THAT(due_, ElementsAre("asleep 4", "awake 7", "deeply 9"));
}

TEST_F(WakeIndexTest, ARunThatLeavesIsRememberedUpToTheHorizon) {
  index_.set_horizon(in(20));
  CachedRun& soon = run("soon");
  CachedRun& at_it = run("at it");
  CachedRun& beyond = run("beyond");
  index_.set(soon, in(10));
  index_.set(at_it, in(20));
  index_.set(beyond, in(21));
  for (CachedRun* leaving : {&soon, &at_it, &beyond}) index_.leave(*leaving);
  cache_.remove_all(cache_.entry({"ns", "soon"}));
  world_.run_for(absl::Seconds(60));
  EXPECT_THAT(due_, ElementsAre("soon 10", "at it 20"));
}

TEST_F(WakeIndexTest, ARunMayBeSetAgainWhenItIsDue) {
  CachedRun& order = run("order");
  WakeIndex again(world_.clock(), *executor_, [&](const store::RunKey&) {
    due_.push_back("again");
    if (due_.size() < 3) again.set(order, now() + absl::Seconds(1));
  });
  again.set(order, in(1));
  world_.run_for(absl::Seconds(60));
  EXPECT_THAT(due_, SizeIs(3));
}

}  // namespace
}  // namespace skald::shard
