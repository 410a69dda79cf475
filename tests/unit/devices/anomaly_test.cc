#include "plugins/devices/anomaly.h"

#include <cmath>
#include <random>

#include <gmock/gmock.h>

namespace skald::plugin::devices {
namespace {

using testing::AllOf;
using testing::Ge;
using testing::HasSubstr;
using testing::Le;

// Readings around 50, give or take 1.
std::vector<double> noise(size_t count, unsigned seed = 1) {
  std::mt19937 random(seed);
  std::normal_distribution<double> normal(50, 1);
  std::vector<double> values(count);
  for (double& value : values) value = normal(random);
  return values;
}

double score(double value, std::vector<double> baseline = noise(48), ScoreOptions options = {}) {
  return score_reading("x", baseline, {value}, 8, options).score;
}

TEST(Anomaly, UsualReadingsScoreLow) {
  const auto baseline = noise(48);
  int high = 0;
  for (const double value : noise(1000, 2)) high += score(value, baseline) > 0.5;
  EXPECT_LE(high, 20) << "three and a half spreads are rare";
  EXPECT_LT(score(50), 0.1);
}

TEST(Anomaly, SpikeScoresHigherTheFurtherItIsEitherWay) {
  EXPECT_GT(score(60), 0.8);
  EXPECT_GT(score(40), 0.8);
  EXPECT_GT(score(60), score(56));
  EXPECT_LE(score(1e300), 1);
}

TEST(Anomaly, ThresholdScoresOneHalf) {
  const std::vector<double> baseline = {48, 49, 49, 50, 50, 50, 51, 51, 52};  // MAD 1, so one spread is 1.4826
  EXPECT_NEAR(score(50 + 3.5 * 1.4826, baseline), 0.5, 1e-9);
  EXPECT_NEAR(score(50 + 2 * 3.5 * 1.4826, baseline), 0.8, 1e-9);
  EXPECT_NEAR(score(50 + 2 * 1.4826, baseline, {.threshold = 2}), 0.5, 1e-9);
}

TEST(Anomaly, SpikesWithinTheBaselineHideNoLaterOne) {
  auto baseline = noise(48);
  for (size_t i = 0; i < baseline.size(); i += 4) baseline[i] = 500;  // a quarter of it
  EXPECT_GT(score(65, baseline), 0.8);
  EXPECT_LT(score(50, baseline), 0.1);
}

TEST(Anomaly, DriftIsSeenWhileEachReadingLooksHarmless) {
  const auto baseline = noise(48);
  auto recent = noise(8, 3);
  for (double& value : recent) value += 2.5;
  const auto drifted = score_reading("x", baseline, recent, 8, {});
  EXPECT_GT(std::abs(drifted.drift), std::abs(drifted.spike));
  EXPECT_GT(drifted.score, 0.5);
  EXPECT_THAT(drifted.explanation, HasSubstr("x drifts"));
  recent.pop_back();
  EXPECT_EQ(score_reading("x", baseline, recent, 8, {}).drift, 0) << "too few to say";
}

TEST(Anomaly, OneSpikeIsNoDrift) {
  auto recent = noise(8, 3);
  recent[4] = 90;
  EXPECT_LT(score_reading("x", noise(48), recent, 8, {}).score, 0.5);
}

TEST(Anomaly, ReadingThatHardlyEverMovesIsMeasuredByItsMeanDeviation) {
  std::vector<double> baseline(40, 7.0);
  for (int i = 0; i < 10; ++i) baseline.push_back(8.0);
  EXPECT_LT(score(8, baseline), 0.6);
  EXPECT_GT(score(20, baseline), 0.9);
}

TEST(Anomaly, ReadingThatNeverMovedMayMoveByItsLeastSpread) {
  const std::vector<double> baseline(48, 7.0);
  EXPECT_GT(score(7.1, baseline), 0.99);
  EXPECT_LT(score(7.1, baseline, {.threshold = 3.5, .least_spread = {{"x", 0.1}}}), 0.1);
  EXPECT_EQ(score(7, baseline), 0);
}

TEST(Anomaly, EveryReadingIsExplained) {
  const std::vector<Readings> baseline(48, {{"speed", 100}, {"heat", 60}});
  const auto scores = score_report(baseline, {{{"speed", 100}, {"heat", 75}, {"new", 1}}}, 8, {3.5, {{"heat", 2}}});
  ASSERT_EQ(scores.size(), 2u) << "of what is new nobody knows what is usual";
  EXPECT_THAT(scores.at("heat").explanation, HasSubstr("heat is 75, 7.5 spreads above what is usual (usually 60"));
  EXPECT_THAT(scores.at("speed").explanation, HasSubstr("speed is 100, as usual"));
  EXPECT_THAT(scores.at("heat").score, AllOf(Ge(0), Le(1)));
}

}  // namespace
}  // namespace skald::plugin::devices
