#include "tests/sim/simulation.h"

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <spdlog/spdlog.h>

namespace skald::sim {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;

class SimulationTest : public testing::Test {
 protected:
  SimulationTest() {
    spdlog::set_level(spdlog::level::off);
    load_definitions(definitions_, SKALD_WORKFLOWS, SKALD_SIM_WORKFLOWS);
  }

  // The problems of all seeds.
  std::vector<std::string> problems(Options options, uint64_t seeds) const {
    std::vector<std::string> all;
    for (options.seed = 1; options.seed <= seeds; ++options.seed) {
      for (std::string& problem : simulate(options, definitions_).problems)
        all.push_back(fmt::format("seed {}: {}", options.seed, problem));
    }
    return all;
  }

  lua::Definitions definitions_;
};

TEST_F(SimulationTest, EveryInvariantHoldsThroughCrashesAndFaults) { EXPECT_THAT(problems({}, 40), IsEmpty()); }

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
}

TEST_F(SimulationTest, FindsAStoreThatAcknowledgesBeforeItIsDurable) {
  EXPECT_THAT(problems({.acknowledges_early = true}, 40), Contains(HasSubstr("was acknowledged")));
}

TEST_F(SimulationTest, FindsPartnersThatForgetWhatTheyDid) {
  EXPECT_THAT(problems({.shop_defect = ShopDefect::kForgetsIdempotency}, 40), testing::Not(IsEmpty()));
}

TEST_F(SimulationTest, FindsEffectsThatComeAfterTheirCompensation) {
  EXPECT_THAT(problems({.shop_defect = ShopDefect::kForgetsTombstones}, 200), testing::Not(IsEmpty()));
}

}  // namespace
}  // namespace skald::sim
