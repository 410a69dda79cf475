#include "engine/worker/backoff.h"

#include <set>

#include <gtest/gtest.h>

namespace skald::worker {
namespace {

TEST(Backoff, BeginsAnewAfterASuccess) {
  const auto random = base::make_seeded_random(7);
  Backoff backoff(absl::Milliseconds(100), absl::Seconds(10));
  for (int i = 0; i < 5; ++i) backoff.next(*random);
  backoff.reset();
  EXPECT_LE(backoff.next(*random), absl::Milliseconds(100));
}

TEST(Backoff, SpreadsWorkersOut) {
  const auto random = base::make_seeded_random(7);
  std::set<absl::Duration> waits;
  for (int i = 0; i < 50; ++i) waits.insert(Backoff(absl::Seconds(1), absl::Seconds(1)).next(*random));
  EXPECT_GT(waits.size(), 45u);
}

}  // namespace
}  // namespace skald::worker
