#include <algorithm>
#include <set>

#include <gmock/gmock.h>

#include "tests/unit/erp/erp_fixture.h"

namespace skald::plugins {
namespace {

constexpr std::ptrdiff_t kAtATime = 30;
constexpr int kTimes = 6;

// Attempts at a work order's creation ('a') and cancellation ('c') in one order of arrival, which is one workflow.
struct Case {
  std::string calls, workflow;
  std::vector<Outcome> outcomes;
};

// The first attempt, its retry and a late duplicate of each: the plugin cannot tell them apart.
// Each order several times, because faults meet it elsewhere each time.
std::vector<Case> every_order() {
  std::string calls = "aaaccc";
  std::vector<Case> cases;
  do {
    for (int time = 0; time < kTimes; ++time) cases.push_back({calls, calls + std::to_string(time), {}});
  } while (std::next_permutation(calls.begin(), calls.end()));
  return cases;
}

// What goes wrong with the calls that the plugin makes to the ERP.
class WorkOrderInterleavingsTest : public ErpTest, public testing::WithParamInterface<std::string> {
 protected:
  Task call(const Case& order, char what) {
    if (what == 'c') return task("cancel_work_order", {{"reference", "r"}, {"reason", "false alarm"}}, order.workflow);
    return task("create_work_order",
                {{"reference", "r"}, {"asset", "press 3"}, {"kind", "repair"}, {"description", "noise"}},
                order.workflow);
  }

  // Some orders side by side, one call of each at a time.
  void play(std::vector<Case>::iterator begin, std::vector<Case>::iterator end) {
    for (size_t step = 0; step < begin->calls.size(); ++step) {
      std::vector<std::future<Outcome>> answers;
      for (auto order = begin; order != end; ++order) answers.push_back(start(call(*order, order->calls[step])));
      for (auto order = begin; order != end; ++order)
        order->outcomes.push_back(answers[static_cast<size_t>(order - begin)].get());
    }
  }

  // An attempt may fail, but only in such a way that it is made again; what it answers once it answers always.
  void check(const Case& order) {
    SCOPED_TRACE(order.workflow);
    json created, cancelled;
    for (size_t i = 0; i < order.outcomes.size(); ++i) {
      const Outcome& outcome = order.outcomes[i];
      const bool action = order.calls[i] == 'a';
      json& first = action ? created : cancelled;
      if (action && !cancelled.is_null()) {
        EXPECT_EQ(error(outcome), "AlreadyCompensated") << "call " << i;
      } else if (error(outcome).empty()) {
        if (first.is_null()) first = result(outcome);
        EXPECT_EQ(result(outcome), first) << "call " << i;
      } else {
        EXPECT_TRUE(is_retryable(outcome) || (action && error(outcome) == "AlreadyCompensated")) << error(outcome);
      }
    }
    const json last = insisted(call(order, 'c'));
    ASSERT_TRUE(last.is_object()) << "the cancellation never comes through";
    if (!cancelled.is_null()) {
      EXPECT_EQ(last, cancelled);
    }
    if (order.calls[0] == 'c' && error(order.outcomes[0]).empty()) {
      EXPECT_EQ(last["undone"], false) << "there was nothing yet";
    }
    if (!created.is_null()) {
      EXPECT_EQ(last["undone"], true);
    }
    EXPECT_EQ(error(run(call(order, 'a'))), "AlreadyCompensated");
  }
};

TEST_P(WorkOrderInterleavingsTest, NothingIsLeftWhicheverAttemptComesWhen) {
  if (GetParam() != "none") erp_.set_faults({{"*", {{"fault", GetParam()}, {"share", 0.3}}}});
  auto cases = every_order();
  ASSERT_EQ(cases.size(), 20u * kTimes);
  for (auto begin = cases.begin(); begin != cases.end();) {
    const auto end = begin + std::min(kAtATime, cases.end() - begin);
    play(begin, end);
    begin = end;
  }
  for (const Case& order : cases) check(order);
  erp_.set_faults(json::object());
  std::set<std::string> references;
  for (const json& order : records("work_orders")) {
    EXPECT_EQ(order["state"], "cancelled") << order;
    EXPECT_TRUE(references.insert(order["reference"]).second) << "twice: " << order;
  }
  EXPECT_EQ(audit()["balanced"], true) << audit();
}

INSTANTIATE_TEST_SUITE_P(Faults, WorkOrderInterleavingsTest,
                         testing::Values("none", "busy", "error", "drop", "lose_answer", "cut"),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace skald::plugins
