#include <algorithm>
#include <optional>
#include <set>

#include <gmock/gmock.h>

#include "tests/unit/plugins/host_fixture.h"

namespace skald::plugins {
namespace {

// One call of an action ('a'), of what goes on with it ('g') or of its compensation ('c'), as it reaches the plugin.
// Attempt 1 may lose its answer; the late duplicate is attempt 1 once more, after a detour.
struct Call {
  char what;
  int attempt;
};

const std::vector<Call> kAttempts = {{'a', 1}, {'a', 2}, {'a', 1}, {'c', 1}, {'c', 2}, {'c', 1}};
const std::vector<Call> kWithMore = {{'a', 1}, {'a', 2}, {'g', 1}, {'g', 2}, {'c', 1}, {'c', 2}};

// One order of arrival, which is one workflow.
struct Case {
  std::string workflow;
  std::vector<Call> calls;
  bool action_loses = false, compensation_loses = false;

  bool loses(const Call& call) const {
    return call.attempt == 1 && ((call.what == 'a' && action_loses) || (call.what == 'c' && compensation_loses));
  }
  // Whether the action came before its compensation closed the door.
  bool happens() const { return calls.at(first_of("ac")).what == 'a'; }
  size_t first_of(const std::string& whats) const {
    return static_cast<size_t>(
        std::find_if(calls.begin(), calls.end(),
                     [&](const Call& call) { return whats.find(call.what) != std::string::npos; }) -
        calls.begin());
  }
};

// Every distinct order of the calls, with and without answers that get lost.
std::vector<Case> every_order(const std::vector<Call>& calls) {
  std::vector<size_t> places(calls.size());
  for (size_t i = 0; i < places.size(); ++i) places[i] = i;
  std::vector<Case> cases;
  std::set<std::string> seen;
  do {
    Case order;
    for (const size_t place : places) {
      order.calls.push_back(calls[place]);
      order.workflow += calls[place].what + std::to_string(calls[place].attempt);
    }
    if (!seen.insert(order.workflow).second) continue;
    for (const bool action_loses : {false, true}) {
      for (const bool compensation_loses : {false, true}) {
        Case with = order;
        with.action_loses = action_loses, with.compensation_loses = compensation_loses;
        with.workflow += std::string(action_loses ? " A lost" : "") + (compensation_loses ? " C lost" : "");
        cases.push_back(std::move(with));
      }
    }
  } while (std::next_permutation(places.begin(), places.end()));
  return cases;
}

struct RacingPair {
  std::string plugin, action, more, compensation;  // `more` goes on with the action; it may be empty
  std::function<bool(const json& audit)> nothing_left;
  // How many actions the books know of; none: they do not say.
  std::function<std::optional<int64_t>(const json& audit)> actions;
};

void PrintTo(const RacingPair& pair, std::ostream* out) { *out << pair.action << " and " << pair.compensation; }

class SagaInterleavingsTest : public HostTest, public testing::WithParamInterface<RacingPair> {
 protected:
  SagaInterleavingsTest() {
    load_product(GetParam().plugin);
    if (GetParam().plugin == "inventory")
      run({"inventory.load_stock", {{"items", {{{"sku", "A"}, {"quantity", kStock}}}}}});
  }

  const std::string& activity(char what) const {
    return what == 'a' ? GetParam().action : what == 'g' ? GetParam().more : GetParam().compensation;
  }

  std::future<Outcome> begin(const Case& order, const Call& call) {
    json input = {{"order_id", order.workflow},
                  {"items", {{{"sku", "A"}, {"quantity", 2}}}},
                  {"country", "UK"},
                  {"currency", "GBP"}};
    if (call.what == 'a') input["amount"] = 100;
    if ((call.what == 'a' && order.action_loses) || (call.what == 'c' && order.compensation_loses))
      input["sandbox"] = {{activity(call.what), "lose_answer"}};
    return start({.type = GetParam().plugin + "." + activity(call.what),
                  .input = input,
                  .attempt = call.attempt,
                  .timeout = absl::Minutes(10),
                  .workflow = order.workflow,
                  .activity_id = std::string(1, call.what)});
  }

  // What each attempt must have answered, in its place among the others.
  void check(const Case& order, const std::vector<Outcome>& outcomes) {
    SCOPED_TRACE(order.workflow);
    json action, compensation;
    bool closed = false;
    for (size_t i = 0; i < outcomes.size(); ++i) {
      const Call& call = order.calls[i];
      if (call.what == 'g') continue;
      json& first = call.what == 'a' ? action : compensation;
      if (call.what == 'a' && closed) {
        EXPECT_EQ(error(outcomes[i]), "AlreadyCompensated") << "call " << i;
        EXPECT_TRUE(failure(outcomes[i]).application_failure_info().non_retryable());
      } else if (order.loses(call)) {
        EXPECT_EQ(error(outcomes[i]), "AnswerLost") << "call " << i;
      } else {
        ASSERT_EQ(error(outcomes[i]), "") << "call " << i;
        if (first.is_null()) first = result(outcomes[i]);
        EXPECT_EQ(result(outcomes[i]), first) << "call " << i << " repeats another, and must answer the same";
      }
      closed = closed || call.what == 'c';
    }
    EXPECT_EQ(compensation["undone"], order.happens()) << compensation;
  }

  void check_books(const std::vector<Case>& cases) {
    const json books = result({.type = GetParam().plugin + ".audit", .timeout = absl::Minutes(10)});
    EXPECT_EQ(books["balanced"], true) << books;
    EXPECT_TRUE(GetParam().nothing_left(books)) << books;
    const auto known = GetParam().actions(books);
    const auto happened = std::count_if(cases.begin(), cases.end(), [](const Case& order) { return order.happens(); });
    if (known) {
      EXPECT_EQ(*known, happened) << "a compensation without its action is no action: " << books;
    }
  }

  // All orders side by side, one call of each at a time; `between` runs before the next one.
  void play(const std::vector<Case>& cases, const std::function<void()>& between) {
    std::vector<std::vector<Outcome>> outcomes(cases.size());
    for (size_t step = 0; step < cases.at(0).calls.size(); ++step) {
      std::vector<std::future<Outcome>> answers;
      for (const Case& order : cases) answers.push_back(begin(order, order.calls[step]));
      for (size_t i = 0; i < answers.size(); ++i) outcomes[i].push_back(answers[i].get());
      between();
    }
    for (size_t i = 0; i < cases.size() && !HasFatalFailure(); ++i) check(cases[i], outcomes[i]);
    check_books(cases);
  }

  static constexpr int64_t kStock = 1000000;
};

TEST_P(SagaInterleavingsTest, NothingIsLeftWhicheverAttemptComesWhen) {
  const auto cases = every_order(kAttempts);
  EXPECT_EQ(cases.size(), 720u / 2 / 2 * 4) << "a late duplicate is the same call as the first attempt";
  play(cases, [] {});
}

TEST_P(SagaInterleavingsTest, NothingIsLeftWhenThePluginStartsAnewBetweenAnyTwoAttempts) {
  play(every_order(kAttempts), [this] { load(); });
}

TEST_P(SagaInterleavingsTest, NothingIsLeftWhenAttemptsMeetInOneTransaction) {
  const auto cases = every_order(kAttempts);
  std::vector<std::vector<std::future<Outcome>>> answers(cases.size());
  for (size_t i = 0; i < cases.size(); ++i) {
    for (const Call& call : cases[i].calls) answers[i].push_back(begin(cases[i], call));
  }
  for (size_t i = 0; i < cases.size() && !HasFatalFailure(); ++i) {
    std::vector<Outcome> outcomes;
    for (auto& answer : answers[i]) outcomes.push_back(answer.get());
    check(cases[i], outcomes);
  }
  check_books(cases);
}

// What goes on with an action (goods leave, money is captured) is undone with it, and does not go on after that.
class SagaGoingOnTest : public SagaInterleavingsTest {};

TEST_P(SagaGoingOnTest, NothingIsLeftOfWhatWentOnEither) {
  play(every_order(kWithMore), [] {});
}

std::optional<int64_t> not_told(const json&) { return std::nullopt; }

const RacingPair kReserve{
    "inventory",
    "reserve",
    "confirm",
    "release",
    [](const json& b) { return b["on_hand"] == b["loaded"] && b["reserved"] == 0 && b["shipped"] == 0; },
    not_told};
const RacingPair kAuthorize{
    "payment",
    "authorize",
    "capture",
    "cancel",
    [](const json& b) { return pounds(b, "captured") == pounds(b, "refunded") && pounds(b, "open") == 0; },
    [](const json& b) { return b["payments"].get<int64_t>(); }};
const RacingPair kCharge{"payment", "charge", "", "cancel", kAuthorize.nothing_left, kAuthorize.actions};
const RacingPair kShip{"logistics",
                       "create_waybill",
                       "",
                       "cancel_waybill",
                       [](const json& b) { return b["open"] == 0; },
                       [](const json& b) { return b["waybills"].get<int64_t>(); }};

std::string name_of(const testing::TestParamInfo<RacingPair>& info) {
  return info.param.plugin + "_" + info.param.action;
}

INSTANTIATE_TEST_SUITE_P(Plugins, SagaInterleavingsTest, testing::Values(kReserve, kCharge, kAuthorize, kShip),
                         name_of);
INSTANTIATE_TEST_SUITE_P(Plugins, SagaGoingOnTest, testing::Values(kReserve, kAuthorize), name_of);

}  // namespace
}  // namespace skald::plugins
