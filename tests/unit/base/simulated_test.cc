#include "engine/base/simulated.h"

#include <gmock/gmock.h>

namespace skald::base {
namespace {

TEST(SimulatedWorld, RunsTasksInTheOrderOfTimeThenOfPosting) {
  SimulatedWorld world;
  const auto one = world.make_executor(), other = world.make_executor();
  const absl::Time start = world.clock().now();
  std::string order;
  one->post_at(start + absl::Seconds(2), [&] { order += "d"; });
  one->post([&] { order += "a"; });
  other->post([&] { order += "b"; });
  other->post_at(start + absl::Seconds(1), [&] { order += "c"; });
  while (world.step()) {
  }
  EXPECT_EQ(order, "abcd");
  EXPECT_EQ(world.clock().now(), start + absl::Seconds(2));
}

TEST(SimulatedWorld, TimeStandsStillWhileThereIsWork) {
  SimulatedWorld world;
  const auto executor = world.make_executor();
  const absl::Time start = world.clock().now();
  int ran = 0;
  executor->post([&] {
    ++ran;
    executor->post([&] { ++ran; });
  });
  executor->post_at(start + absl::Hours(1), [&] { ++ran; });
  world.run_ready();
  EXPECT_EQ(ran, 2);
  EXPECT_EQ(world.clock().now(), start);
}

TEST(SimulatedWorld, RunsForAWhile) {
  SimulatedWorld world;
  const auto executor = world.make_executor();
  const absl::Time start = world.clock().now();
  int ticks = 0;
  std::function<void()> tick = [&] {
    ++ticks;
    executor->post_at(world.clock().now() + absl::Seconds(1), tick);
  };
  executor->post_at(start + absl::Seconds(1), tick);
  world.run_for(absl::Seconds(10));
  EXPECT_EQ(ticks, 10);
  EXPECT_EQ(world.clock().now(), start + absl::Seconds(10));
}

TEST(SimulatedWorld, ForgetsTheTasksOfAnExecutorThatIsGone) {
  SimulatedWorld world;
  auto doomed = world.make_executor();
  const auto other = world.make_executor();
  std::string ran;
  doomed->post([&] { ran += "doomed"; });
  other->post([&] { ran += "other"; });
  doomed.reset();
  world.run_ready();
  EXPECT_EQ(ran, "other");
}

}  // namespace
}  // namespace skald::base
