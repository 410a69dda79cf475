#include "tests/unit/lua/assisted_order_fixture.h"

namespace skald::lua::testing {
namespace {

class AfterSalesAgentTest : public AssistedOrderTest {
 protected:
  // An order whose delivery fails an hour after it was confirmed.
  json deliver(const std::string& reason, int total, const json& more = json::object()) {
    answer("inventory.confirm", [=, this](const json& input) {
      if (!input.contains("reservation_id"))
        driver_.after(absl::Hours(1), [=, this] {
          driver_.signal("delivery", {json({{"state", "failed"}, {"reason", reason}}).dump()});
        });
      return Outcome::result("{}");
    });
    json order = {{"total", total}, {"delivery_within", "14d"}};
    order.update(more);
    return run(order);
  }
};

TEST_F(AfterSalesAgentTest, DoesNothingForAParcelThatArrives) {
  answer("inventory.confirm", [this](const json&) {
    driver_.after(absl::Hours(1), [this] { driver_.signal("delivery", {R"({"state":"delivered"})"}); });
    return Outcome::result("{}");
  });
  const json result = run({{"delivery_within", "14d"}});
  EXPECT_EQ(result["delivery"], "delivered");
  EXPECT_FALSE(result.contains("after_sales"));
}

TEST_F(AfterSalesAgentTest, DoesNothingForAParcelOfWhichNobodyHears) {
  EXPECT_EQ(run({{"delivery_within", "14d"}})["delivery"], "unknown");
}

TEST_F(AfterSalesAgentTest, SendsTheGoodsAgainWithinItsLimit) {
  const json result = deliver("lost", 5000);
  EXPECT_EQ(result["after_sales"], json({{"remedy", "reship"}, {"by", "agent"}, {"reason", "so it seems"}}));
  EXPECT_EQ(last("inventory.reserve"),
            json({{"order_id", "1"}, {"reservation_id", "1/again"}, {"items", {{{"sku", "A"}, {"quantity", 2}}}}}));
  EXPECT_EQ(last("logistics.create_waybill")["shipment_id"], "1/again");
  EXPECT_EQ(last("inventory.confirm")["reservation_id"], "1/again");
  EXPECT_FALSE(did("llm.await_person"));
  EXPECT_EQ(last("erp.push_outcome")["outcome"], "confirmed");
}

TEST_F(AfterSalesAgentTest, PersonApprovesWhatIsBeyondTheLimit) {
  decides("after_sales", {{"remedy", "refund"}, {"amount", 80000}}, 0.9);
  person_says("after_sales", "approved");
  const json result = deliver("refused", 80000);
  EXPECT_EQ(result["after_sales"]["by"], "ida");
  EXPECT_EQ(last("payment.refund"), json({{"order_id", "1"}, {"refund_id", "1/after-sales"}, {"amount", 80000}}));
  EXPECT_EQ(last("erp.push_outcome")["outcome"], "returned");
}

TEST_F(AfterSalesAgentTest, PersonLooksAtWhatTheModelIsNotSureOf) {
  decides("after_sales", {{"remedy", "discount"}, {"amount", 500}}, 0.4);
  person_says("after_sales", "rejected");
  const json result = deliver("late", 5000);
  EXPECT_EQ(result["after_sales"]["remedy"], "none");
  EXPECT_EQ(result["outcome"], "confirmed");
  EXPECT_FALSE(did("payment.refund"));
}

TEST_F(AfterSalesAgentTest, RuleMakesGoodWhatNobodyDecides) {
  const json result = deliver("lost", 80000, {{"decide_within", "1m"}, {"escalate_within", "1m"}});
  EXPECT_EQ(result["after_sales"]["remedy"], "refund") << "the rule's own remedy, not the model's";
  EXPECT_EQ(result["after_sales"]["by"], "rule");
  EXPECT_EQ(last("payment.refund")["amount"], 80000);
}

TEST_F(AfterSalesAgentTest, PaysADiscountBack) {
  decides("after_sales", {{"remedy", "discount"}, {"amount", 500}}, 0.9);
  const json result = deliver("late", 5000);
  EXPECT_EQ(result["after_sales"]["remedy"], "discount");
  EXPECT_EQ(last("payment.refund")["amount"], 500);
  EXPECT_EQ(last("erp.push_outcome")["outcome"], "confirmed");
}

TEST_F(AfterSalesAgentTest, RuleDecidesInsteadOfADiscountThatMakesNoSense) {
  decides("after_sales", {{"remedy", "discount"}, {"amount", 999999}}, 0.9);
  const json result = deliver("late", 5000);
  EXPECT_EQ(last("payment.refund")["amount"], 500) << "a tenth";
  EXPECT_EQ(last("llm.confirm")["by"], "rule");
  EXPECT_EQ(last("llm.confirm")["reason"], "a discount of 999999 on a total of 5000 makes no sense");
}

TEST_F(AfterSalesAgentTest, PersonApprovesWhatTheRulePutInItsPlace) {
  decides("after_sales", {{"remedy", "discount"}, {"amount", 999999}}, 0.9);
  person_says("after_sales", "approved");
  const json result = deliver("lost", 80000);
  EXPECT_EQ(result["after_sales"]["remedy"], "refund");
  EXPECT_EQ(times("llm.confirm"), 1);
  EXPECT_EQ(last("llm.confirm")["verdict"], "changed");
  EXPECT_EQ(last("llm.confirm")["by"], "ida");
  EXPECT_EQ(last("llm.confirm")["output"], json({{"remedy", "refund"}, {"amount", 80000}}));
}

TEST_F(AfterSalesAgentTest, PaysBackWhatCannotBeSentAgain) {
  answer("inventory.reserve", [](const json& input) {
    return input.contains("reservation_id") ? Outcome::refusal("OutOfStock") : Outcome::result("{}");
  });
  const json result = deliver("damaged", 5000);
  EXPECT_EQ(result["after_sales"]["remedy"], "refund");
  EXPECT_EQ(last("payment.refund")["amount"], 5000);
}

TEST_F(AfterSalesAgentTest, LooksWhereTheParcelIs) {
  answer("logistics.track", json({{"state", "open"}}));
  agent("after_sales", [](const json& input) {
    if (input.contains("continues"))
      return Outcome::result(decision("after_sales", {{"remedy", "reship"}, {"amount", 0}}, 0.9).dump());
    return Outcome::result(
        R"({"conversation":"c","tool_calls":[{"id":"1","activity":"logistics.track","input":{"order_id":"1"}}]})");
  });
  EXPECT_EQ(deliver("lost", 5000)["after_sales"]["remedy"], "reship");
  EXPECT_TRUE(did("logistics.track"));
}

class FailedRemedyTest : public AfterSalesAgentTest {
 protected:
  // Each time that the model is asked its decision has an id of its own: d-after_sales, d-after_sales/2, …
  FailedRemedyTest() {
    agent("after_sales", [this](const json& input) {
      json one = decision("after_sales", {{"remedy", "refund"}, {"amount", total_}}, 0.9);
      ids_.push_back("d-after_sales" + (references_.empty() ? "" : "/" + std::to_string(references_.size() + 1)));
      references_.push_back(input["reference"]);
      one["decision_id"] = ids_.back();
      return Outcome::result(one.dump());
    });
    fails("payment.refund", "Declined");
  }
  // Whenever somebody is asked.
  void ida_says(std::vector<std::string> verdicts) {
    answer("llm.await_person", [=, this](const json& input) {
      const std::string verdict = verdicts.at(asked_++);
      driver_.after(absl::Minutes(1), [=, this] {
        questions_.push_back(status()["open_decision"]["question"]);
        driver_.signal(
            "decide",
            {json({{"decision_id", input["decision_id"]}, {"verdict", verdict}, {"by", "ida"}, {"reason", "called"}})
                 .dump()});
      });
      return Outcome::result("{}");
    });
  }
  json deliver_for(int total) {
    total_ = total;
    return deliver("lost", total, {{"decide_within", "1h"}, {"escalate_within", "1h"}});
  }

  int total_ = 0;
  size_t asked_ = 0;
  std::vector<std::string> ids_, references_, questions_;
};

TEST_F(FailedRemedyTest, PersonIsAskedAndTheOrderEndsAsItIs) {
  ida_says({"rejected"});
  const json result = deliver_for(5000);
  ASSERT_EQ(driver_.status(), "completed") << driver_.failure().message();
  EXPECT_EQ(result["outcome"], "confirmed");
  EXPECT_EQ(result["after_sales"], json({{"remedy", "failed"},
                                         {"by", "ida"},
                                         {"reason", "a refund could not be carried out (Declined: no); called"}}));
  EXPECT_EQ(questions_, std::vector<std::string>{"The delivery of order 1 failed (lost), and a refund could not be "
                                                 "carried out (Declined: no). A refund worth 50.00 EUR? so it seems"});
  EXPECT_EQ(last("erp.push_outcome")["outcome"], "confirmed");
}

TEST_F(FailedRemedyTest, NoRecordSaysThatItWasDone) {
  ida_says({"rejected"});
  const json result = deliver_for(5000);
  ASSERT_EQ(times("llm.confirm"), 2);
  EXPECT_EQ(heard_["llm.confirm"][0], json({{"decision_id", "d-after_sales"},
                                            {"verdict", "rejected"},
                                            {"by", "rule"},
                                            {"reason", "a refund could not be carried out (Declined: no)"}}));
  EXPECT_EQ(heard_["llm.confirm"][1]["decision_id"], "d-after_sales/2");
  for (const json& entry : result["decisions"]) {
    if (entry["agent"] == "after_sales") {
      EXPECT_EQ(entry["outcome"], "failed");
    }
  }
}

TEST_F(FailedRemedyTest, NobodyWhoIsAskedLeavesItFailed) {
  const json result = deliver_for(5000);
  EXPECT_EQ(result["outcome"], "confirmed");
  EXPECT_EQ(result["after_sales"]["remedy"], "failed");
  EXPECT_EQ(result["after_sales"]["by"], "rule");
  EXPECT_EQ(times("payment.refund"), 1) << "what failed is not tried again without a person";
}

TEST_F(FailedRemedyTest, PersonHasItTriedAgain) {
  answer("payment.refund",
         [this](const json&) { return asked_ < 2 ? Outcome::refusal("Declined") : Outcome::result("{}"); });
  ida_says({"approved", "approved"});
  const json result = deliver_for(80000);
  EXPECT_EQ(result["after_sales"], json({{"remedy", "refund"}, {"by", "ida"}, {"reason", "called"}}));
  EXPECT_EQ(questions_.size(), 2u);
  EXPECT_NE(references_[0], references_[1]) << "a decision of its own, which can be open again";
  EXPECT_EQ(last("erp.push_outcome")["outcome"], "returned");
}

TEST_F(FailedRemedyTest, NoAnswerInTimeIsAFailureToo) {
  answer("payment.refund", [](const json&) { return Outcome::timeout(); });
  ida_says({"rejected"});
  const json result = deliver_for(5000);
  EXPECT_EQ(result["after_sales"]["remedy"], "failed");
  EXPECT_THAT(result["after_sales"]["reason"].get<std::string>(), ::testing::HasSubstr("Timeout"));
}

TEST_F(FailedRemedyTest, WithoutABookAnAnswerCountsOnce) {
  fails("llm.decide", "NoSuchActivity");
  driver_.after(absl::Hours(2), [this] {
    driver_.signal("decide",
                   {R"({"decision_id":"unrecorded-after_sales","verdict":"approved","by":"ida","reason":"do"})"});
  });
  const json result = deliver("lost", 40000, {{"decide_within", "1d"}, {"escalate_within", "1d"}});
  EXPECT_EQ(times("payment.refund"), 1);
  EXPECT_EQ(result["after_sales"]["remedy"], "failed");
}

using ErpEntryTest = AssistedOrderTest;

TEST_F(ErpEntryTest, ErpHearsOfTheOrderAndThenOfItsEnd) {
  EXPECT_EQ(run()["erp"], "written");
  EXPECT_EQ(last("erp.push_order")["total"], 80000);
  EXPECT_EQ(last("erp.push_outcome"),
            json({{"order_id", "1"}, {"outcome", "confirmed"}, {"compensations", json::array()}}));
}

TEST_F(ErpEntryTest, ErpThatIsAwayHoldsNothingUp) {
  fails("erp.push_order", "ErpAway");
  const json result = run();
  EXPECT_EQ(result["outcome"], "confirmed");
  EXPECT_EQ(result["erp"], "ErpAway: no");
  EXPECT_FALSE(did("erp.push_outcome")) << "an order that it does not know has no end";
}

TEST_F(ErpEntryTest, ErpHearsOfAnOrderThatCannotBeUndone) {
  fails("payment.charge", "CardDeclined");
  fails("inventory.release", "NoShelf");
  run();
  EXPECT_EQ(driver_.status(), "failed");
  EXPECT_EQ(driver_.failure().application_failure_info().type(), "CompensationFailed");
  EXPECT_EQ(last("erp.push_outcome")["outcome"], "rejected");
}

}  // namespace
}  // namespace skald::lua::testing
