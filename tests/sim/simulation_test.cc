#include "tests/sim/simulation.h"

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <spdlog/spdlog.h>

namespace skald::sim {
namespace {

using testing::IsEmpty;

class SimulationTest : public testing::Test {
 protected:
  SimulationTest() {
    spdlog::set_level(spdlog::level::off);
    load_definitions(definitions_, SKALD_WORKFLOWS, SKALD_SIM_WORKFLOWS);
  }

  // What the first seed with a problem that says `about` reports; empty when there is none.
  std::vector<std::string> first_problems(Options options, uint64_t seeds, const std::string& about = "") const {
    for (options.seed = 1; options.seed <= seeds; ++options.seed) {
      std::vector<std::string> problems;
      bool found = false;
      for (const std::string& problem : simulate(options, definitions_).problems) {
        found = found || problem.find(about) != std::string::npos;
        problems.push_back(fmt::format("seed {}: {}", options.seed, problem));
      }
      if (found) return problems;
    }
    return {};
  }

  lua::Definitions definitions_;
};

TEST_F(SimulationTest, EveryInvariantHoldsThroughCrashesAndFaults) {
  EXPECT_THAT(first_problems({}, SKALD_SIM_SEEDS), IsEmpty());
}

TEST_F(SimulationTest, TheSameSeedPlaysTheSame) {
  const Report once = simulate({.seed = 7}, definitions_);
  const Report again = simulate({.seed = 7}, definitions_);
  EXPECT_EQ(once.digest, again.digest);
  EXPECT_EQ(once.steps, again.steps);
  EXPECT_NE(once.digest, simulate({.seed = 8}, definitions_).digest);
}

TEST_F(SimulationTest, EveryOutcomeOfAnOrderHappens) {
  std::map<std::string, int> outcomes;
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    for (const auto& [outcome, count] : simulate({.seed = seed}, definitions_).outcomes) outcomes[outcome] += count;
  }
  EXPECT_GT(outcomes["confirmed"], 0);
  EXPECT_GT(outcomes["rejected"], 0);
  EXPECT_GT(outcomes["cancelled"], 0);
  for (const char* what : {"with agents", "made good", "decided by agents", "decided by people"})
    EXPECT_GT(outcomes[what], 0) << what;
}

TEST_F(SimulationTest, FindsAStoreThatAcknowledgesBeforeItIsDurable) {
  EXPECT_THAT(first_problems({.node_defect = NodeDefect::kAcknowledgesEarly}, 5), testing::Not(IsEmpty()));
}

TEST_F(SimulationTest, FindsABatchThatIsRefusedWithoutAFault) {
  EXPECT_THAT(first_problems({.node_defect = NodeDefect::kRefusesCommits}, 5, "a batch was refused, and no fault explains"),
              testing::Not(IsEmpty()));
}

TEST_F(SimulationTest, FindsARequestThatWaitsWithoutAFault) {
  EXPECT_THAT(first_problems({.node_defect = NodeDefect::kKeepsWaiting}, 5, "of which no fault explains"),
              testing::Not(IsEmpty()));
}

TEST_F(SimulationTest, FindsReplaysWithoutAFault) {
  EXPECT_THAT(first_problems({.node_defect = NodeDefect::kForgetsScripts}, 5, "has to replay it"),
              testing::Not(IsEmpty()));
}

TEST_F(SimulationTest, FindsPartnersThatForgetWhatTheyDid) {
  EXPECT_THAT(first_problems({.shop_defect = ShopDefect::kForgetsIdempotency}, 40), testing::Not(IsEmpty()));
}

TEST_F(SimulationTest, FindsEffectsThatComeAfterTheirCompensation) {
  EXPECT_THAT(first_problems({.shop_defect = ShopDefect::kForgetsTombstones}, 200), testing::Not(IsEmpty()));
}

TEST_F(SimulationTest, FindsAnErpThatTakesAnOrderTwice) {
  EXPECT_THAT(first_problems({.shop_defect = ShopDefect::kErpForgetsIdempotency}, 40, "the ERP has"),
              testing::Not(IsEmpty()));
}

TEST_F(SimulationTest, FindsAShopThatChargesBeforeTheRiskIsKnown) {
  EXPECT_THAT(first_problems({.shop_defect = ShopDefect::kChargesBeforeRisk}, 40, "rejected before"),
              testing::Not(IsEmpty()));
}

TEST_F(SimulationTest, FindsDecisionsThatAreRecordedTwice) {
  EXPECT_THAT(first_problems({.shop_defect = ShopDefect::kForgetsDecisions}, 40, "recorded twice"),
              testing::Not(IsEmpty()));
}

TEST_F(SimulationTest, FindsABookThatForgetsWhoDecided) {
  EXPECT_THAT(first_problems({.shop_defect = ShopDefect::kForgetsWhoDecided}, 40, "the book says rule"),
              testing::Not(IsEmpty()));
}

}  // namespace
}  // namespace skald::sim
