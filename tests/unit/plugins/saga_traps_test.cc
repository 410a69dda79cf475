#include <algorithm>

#include <gmock/gmock.h>

#include "tests/unit/plugins/host_fixture.h"

namespace skald::plugins {
namespace {

// An action and its compensation, as a saga's retries and timeouts may interleave them.
struct Pair {
  std::string plugin, action, compensation;
  std::function<bool(const json& audit)> nothing_left;
};

void PrintTo(const Pair& pair, std::ostream* out) { *out << pair.action << " and " << pair.compensation; }

class SagaTrapsTest : public HostTest, public testing::WithParamInterface<Pair> {
 protected:
  SagaTrapsTest() {
    load_product(GetParam().plugin);
    if (GetParam().plugin == "inventory")
      run({"inventory.load_stock", {{"items", {{{"sku", "A"}, {"quantity", 100}}}}}});
  }

  Task task(const std::string& activity, const std::string& workflow, const json& sandbox = nullptr, int attempt = 1) {
    const json input = {{"order_id", workflow}, {"amount", 100},     {"items", {{{"sku", "A"}, {"quantity", 2}}}},
                        {"country", "UK"},      {"currency", "GBP"}, {"sandbox", sandbox}};
    return {.type = GetParam().plugin + "." + activity, .input = input, .attempt = attempt, .workflow = workflow};
  }
  json audit() { return result({GetParam().plugin + ".audit"}); }
};

TEST_P(SagaTrapsTest, EveryOrderOfActionsAndCompensationsEndsWithNothingLeft) {
  int cases = 0;
  for (std::string calls : {"ac", "Ac", "aCc", "ACc", "aac", "Aac", "aacc", "AacC", "aaCc", "AAcc"}) {
    std::sort(calls.begin(), calls.end());
    do {
      const std::string workflow = calls + "/" + std::to_string(++cases);
      SCOPED_TRACE(workflow);
      bool closed = false, lost = false;
      json first_result;
      for (const char call : calls) {
        const bool action = std::tolower(call) == 'a';
        const std::string activity = action ? GetParam().action : GetParam().compensation;
        const json sandbox = std::isupper(call) ? json{{activity, "lose_answer"}} : json();
        const Outcome outcome = run(task(activity, workflow, sandbox));
        if (action && closed) {
          EXPECT_EQ(error(outcome), "AlreadyCompensated");
        } else if (std::isupper(call)) {
          EXPECT_EQ(error(outcome), "AnswerLost");
        } else if (action) {
          ASSERT_EQ(error(outcome), "");
          if (first_result.is_null()) first_result = result(outcome);
          EXPECT_EQ(result(outcome), first_result) << "the same effect, the same answer";
        } else {
          ASSERT_EQ(error(outcome), "");
        }
        closed = closed || !action;
        lost = call == 'C';
      }
      // What a saga retries until it hears the answer.
      if (lost) {
        EXPECT_EQ(error(task(GetParam().compensation, workflow, nullptr, 2)), "");
      }
      const json books = audit();
      EXPECT_EQ(books["balanced"], true) << books;
      EXPECT_TRUE(GetParam().nothing_left(books)) << books;
    } while (std::next_permutation(calls.begin(), calls.end()));
  }
  EXPECT_GT(cases, 50);
}

TEST_P(SagaTrapsTest, TombstoneSurvivesARestart) {
  EXPECT_EQ(result(task(GetParam().compensation, "w"))["undone"], false);
  load();
  EXPECT_EQ(error(task(GetParam().action, "w")), "AlreadyCompensated");
}

TEST_P(SagaTrapsTest, UnknownOutcomeIsUndoneAfterARestart) {
  EXPECT_EQ(error(task(GetParam().action, "w", {{GetParam().action, "lose_answer"}})), "AnswerLost");
  load();
  EXPECT_EQ(result(task(GetParam().compensation, "w"))["undone"], true);
  const json books = audit();
  EXPECT_EQ(books["balanced"], true) << books;
  EXPECT_TRUE(GetParam().nothing_left(books)) << books;
}

TEST_P(SagaTrapsTest, OneWorkflowsCompensationLeavesAnothersActionAlone) {
  run(task(GetParam().action, "w1"));
  Task other = task(GetParam().compensation, "w1");
  other.workflow = "w2";
  EXPECT_EQ(result(other)["undone"], false);
  EXPECT_FALSE(GetParam().nothing_left(audit()));
  other.input["workflow_id"] = "w1";
  EXPECT_EQ(result(other)["undone"], true) << "unless it names the workflow";
  EXPECT_TRUE(GetParam().nothing_left(audit()));
}

TEST_P(SagaTrapsTest, LastOfTwoWorkflowsThatLetsGoUndoes) {
  int cases = 0;
  for (const std::string order : {"1a2a1c2c", "1a2a2c1c", "2a1a1c2c", "1a1c2a2c", "1c2a1a2c", "2c1a1c2a", "1a2c2a1c"}) {
    SCOPED_TRACE(order);
    const std::string id = "shared/" + std::to_string(++cases);
    bool held[3] = {}, closed[3] = {};
    for (size_t at = 0; at < order.size(); at += 2) {
      const int who = order[at] - '0';
      Task call = task(order[at + 1] == 'a' ? GetParam().action : GetParam().compensation, id);
      call.workflow = "w" + std::to_string(who) + "/" + id;
      const Outcome outcome = run(call);
      if (order[at + 1] == 'a') {
        EXPECT_EQ(error(outcome), closed[who] ? "AlreadyCompensated" : "") << at;
        held[who] = !closed[who];
      } else {
        const bool last = held[who] && !held[3 - who];
        EXPECT_EQ(result(outcome)["undone"], last) << at;
        held[who] = false, closed[who] = true;
      }
      EXPECT_EQ(GetParam().nothing_left(audit()), !held[1] && !held[2]) << at;
    }
    // Whatever is left is undone by the one that holds it.
    for (int who : {1, 2}) {
      Task call = task(GetParam().compensation, id);
      call.workflow = "w" + std::to_string(who) + "/" + id;
      EXPECT_EQ(error(call), "");
    }
    const json books = audit();
    EXPECT_EQ(books["balanced"], true) << books;
    EXPECT_TRUE(GetParam().nothing_left(books)) << books;
  }
}

TEST_P(SagaTrapsTest, LaterRunOfAChainUndoesWhatAnEarlierOneDid) {
  Task acted = task(GetParam().action, "w"), undone = task(GetParam().compensation, "w");
  acted.run_id = "first", undone.run_id = "second", undone.chain = "first";
  EXPECT_EQ(error(acted), "");
  EXPECT_EQ(result(undone)["undone"], true);
  EXPECT_TRUE(GetParam().nothing_left(audit()));
  EXPECT_EQ(error(acted), "AlreadyCompensated") << "scheduled before it was undone";
  Task later = task(GetParam().action, "w");
  later.run_id = "third", later.chain = "first";
  EXPECT_EQ(error(later), "") << "a run that begins afterwards does it anew";
  EXPECT_FALSE(GetParam().nothing_left(audit()));
}

TEST_P(SagaTrapsTest, SecondStartUnderTheSameIdDoesNotUndoWhatTheFirstDid) {
  Task first = task(GetParam().action, "w"), second = task(GetParam().action, "w"),
       undone = task(GetParam().compensation, "w");
  first.run_id = "first", second.run_id = "second", undone.run_id = "second";
  EXPECT_EQ(result(first), result(second));
  EXPECT_EQ(result(undone)["undone"], false);
  EXPECT_FALSE(GetParam().nothing_left(audit())) << "the first run stands by it";
}

TEST_P(SagaTrapsTest, OneNamespacesCompensationLeavesAnothersActionAlone) {
  run(task(GetParam().action, "w"));
  Task other = task(GetParam().compensation, "w");
  other.ns = "elsewhere";
  EXPECT_EQ(result(other)["undone"], false);
  EXPECT_FALSE(GetParam().nothing_left(audit()));
}

TEST_P(SagaTrapsTest, SameEffectOfAnotherActivityHappensOnce) {
  const json first = result(task(GetParam().action, "w"));
  Task again = task(GetParam().action, "w");
  again.activity_id = "99";
  EXPECT_EQ(result(again), first);
  run(task(GetParam().compensation, "w"));
  EXPECT_TRUE(GetParam().nothing_left(audit()));
}

INSTANTIATE_TEST_SUITE_P(
    Plugins, SagaTrapsTest,
    testing::Values(
        Pair{"inventory", "reserve", "release",
             [](const json& b) { return b["on_hand"] == 100 && b["reserved"] == 0; }},
        Pair{"payment", "charge", "cancel",
             [](const json& b) { return pounds(b, "captured") == pounds(b, "refunded") && pounds(b, "open") == 0; }},
        Pair{"payment", "authorize", "cancel",
             [](const json& b) { return pounds(b, "captured") == 0 && pounds(b, "open") == 0; }},
        Pair{"logistics", "create_waybill", "cancel_waybill", [](const json& b) { return b["open"] == 0; }}),
    [](const auto& info) { return info.param.plugin + "_" + info.param.action; });

}  // namespace
}  // namespace skald::plugins
