#include "engine/base/thread_executor.h"

#include <future>
#include <numeric>
#include <vector>

#include <gmock/gmock.h>

namespace skald::base {
namespace {

TEST(ThreadExecutor, RunsTasksOfManyThreadsOneAtATimeAndInEachThreadsOrder) {
  const SystemClock clock;
  std::vector<std::pair<int, int>> ran;  // touched by the executor alone
  {
    ThreadExecutor executor("test", clock);
    std::vector<std::thread> posters;
    for (int poster = 0; poster < 4; ++poster) {
      posters.emplace_back([&, poster] {
        for (int i = 0; i < 500; ++i) executor.post([&ran, poster, i] { ran.emplace_back(poster, i); });
      });
    }
    for (auto& poster : posters) poster.join();
  }
  ASSERT_EQ(ran.size(), 2000u);
  std::vector<int> next(4, 0);
  for (const auto& [poster, i] : ran) EXPECT_EQ(i, next[static_cast<size_t>(poster)]++);
}

TEST(ThreadExecutor, RunsTimedTasksInTheOrderOfTheirTimes) {
  const SystemClock clock;
  ThreadExecutor executor("test", clock);
  std::promise<void> done;
  std::string order;
  const absl::Time now = clock.now();
  executor.post_at(now + absl::Milliseconds(20), [&] {
    order += "b";
    done.set_value();
  });
  executor.post_at(now + absl::Milliseconds(5), [&] { order += "a"; });
  done.get_future().wait();
  EXPECT_EQ(order, "ab");
}

TEST(ThreadExecutor, StopRunsWhatWasPostedAndDropsWhatWasTimed) {
  const SystemClock clock;
  ThreadExecutor executor("test", clock);
  bool posted = false, timed = false, late = false;
  executor.post_at(clock.now() + absl::Hours(1), [&] { timed = true; });
  executor.post([&] { posted = true; });
  executor.stop();
  executor.post([&] { late = true; });
  executor.stop();
  EXPECT_TRUE(posted);
  EXPECT_FALSE(timed);
  EXPECT_FALSE(late);
}

}  // namespace
}  // namespace skald::base
