#include <gmock/gmock.h>

#include "tests/unit/plugins/host_fixture.h"

namespace skald::plugins {
namespace {

class PaymentTest : public HostTest {
 protected:
  PaymentTest() { load_product("payment"); }

  static json order(int64_t amount, const json& more = json::object()) {
    json input = {{"order_id", "o1"}, {"amount", amount}, {"currency", "GBP"}};
    input.update(more);
    return input;
  }
  static json about(const json& more = json::object()) {
    json input = {{"order_id", "o1"}};
    input.update(more);
    return input;
  }
  json audit(const std::string& ns = "default") { return result({.type = "payment.audit", .ns = ns}); }
};

TEST_F(PaymentTest, CapturesInPartsButNeverMoreThanAuthorised) {
  run({"payment.authorize", order(100)});
  EXPECT_EQ(result({"payment.capture", about({{"amount", 60}, {"capture_id", "1"}})})["captured"], 60);
  EXPECT_EQ(error({"payment.capture", about({{"amount", 41}, {"capture_id", "2"}})}), "CaptureRefused");
  EXPECT_EQ(result({"payment.capture", about({{"capture_id", "3"}})})["captured"], 40) << "what is left";
  EXPECT_EQ(error({"payment.capture", about({{"capture_id", "4"}})}), "CaptureRefused");
  EXPECT_EQ(pounds(audit(), "captured"), 100);
}

TEST_F(PaymentTest, RepeatedCaptureHappensOnce) {
  run({"payment.authorize", order(100)});
  const Task capture{"payment.capture", about({{"amount", 50}, {"capture_id", "1"}})};
  EXPECT_EQ(result(capture), result(capture));
  EXPECT_EQ(pounds(audit(), "captured"), 50);
}

TEST_F(PaymentTest, AnotherAmountUnderTheSameKeyIsRefused) {
  run({"payment.charge", order(100)});
  EXPECT_EQ(error({"payment.charge", order(150)}), "IdempotencyConflict");
  EXPECT_EQ(error({"payment.authorize", order(100)}), "IdempotencyConflict") << "nor is it another activity";
  EXPECT_EQ(pounds(audit(), "captured"), 100);
}

TEST_F(PaymentTest, TwoPaymentsOnOneOrderAreTwo) {
  run({"payment.charge", order(100, {{"payment_id", "deposit"}})});
  run({"payment.charge", order(100, {{"payment_id", "rest"}})});
  EXPECT_EQ(pounds(audit(), "captured"), 200);
  run({"payment.cancel", about({{"payment_id", "rest"}})});
  EXPECT_EQ(pounds(audit(), "refunded"), 100);
  EXPECT_EQ(result({"payment.query", about({{"payment_id", "deposit"}})})["refunded"], 0);
}

TEST_F(PaymentTest, SameOrderInTwoNamespacesIsTwoPayments) {
  run({.type = "payment.charge", .input = order(100), .ns = "a"});
  run({.type = "payment.charge", .input = order(300), .ns = "b"});
  run({.type = "payment.cancel", .input = about(), .ns = "b"});
  EXPECT_EQ(pounds(audit("a"), "captured"), 100);
  EXPECT_EQ(pounds(audit("a"), "refunded"), 0);
  EXPECT_EQ(pounds(audit("b"), "refunded"), 300);
  EXPECT_EQ(audit("c")["payments"], 0);
}

TEST_F(PaymentTest, AnotherWorkflowRefundsTheOrdersPayment) {
  run({"payment.charge", order(100)});
  const auto refund = [&](const json& more) {
    return run({.type = "payment.refund", .input = about(more), .workflow = "return"});
  };
  EXPECT_EQ(result(refund({{"refund_id", "1"}, {"amount", 30}}))["refunded"], 30);
  EXPECT_EQ(result(refund({{"refund_id", "1"}, {"amount", 30}}))["refunded"], 30);
  EXPECT_EQ(error(refund({{"refund_id", "2"}, {"amount", 71}})), "RefundRefused");
  EXPECT_EQ(result(refund({{"refund_id", "3"}}))["refunded"], 70);
  EXPECT_EQ(pounds(audit(), "refunded"), 100);
}

TEST_F(PaymentTest, SeveralPaymentsMustBeToldApart) {
  run({"payment.charge", order(100, {{"payment_id", "a"}})});
  run({"payment.charge", order(100, {{"payment_id", "b"}})});
  EXPECT_EQ(error({.type = "payment.refund", .input = about({{"refund_id", "1"}}), .workflow = "return"}),
            "PaymentAmbiguous");
  EXPECT_EQ(
      error({.type = "payment.refund", .input = about({{"refund_id", "1"}, {"payment_id", "b"}}), .workflow = "x"}),
      "");
  EXPECT_EQ(error({"payment.query", {{"order_id", "o2"}}}), "PaymentNotFound");
}

TEST_F(PaymentTest, LostAnswersOfEveryStepEndInBalancedBooks) {
  const auto lost_then_found = [&](Task task) {
    task.input["sandbox"] = {{task.type, "lose_answer"}};
    EXPECT_EQ(error(task), "AnswerLost") << task.type;
    EXPECT_EQ(audit()["balanced"], false) << "the provider knows more than we do";
    task.attempt = 2;
    EXPECT_EQ(error(task), "") << task.type;
    EXPECT_EQ(audit()["balanced"], true) << audit();
  };
  lost_then_found({"payment.authorize", order(100)});
  lost_then_found({"payment.capture", about({{"amount", 70}})});
  lost_then_found({"payment.refund", about({{"amount", 20}, {"refund_id", "1"}})});
  lost_then_found({"payment.cancel", about()});
  const json books = audit();
  EXPECT_EQ(pounds(books, "captured"), 70);
  EXPECT_EQ(pounds(books, "voided"), 30);
  EXPECT_EQ(pounds(books, "refunded"), 70);
}

TEST_F(PaymentTest, AmountThatIsNotWholeIsRefused) {
  EXPECT_EQ(error({"payment.charge", {{"order_id", "o1"}, {"amount", 12.5}, {"currency", "GBP"}}}), "InvalidInput");
  EXPECT_EQ(error({"payment.charge", {{"order_id", "o1"}, {"amount", -1}, {"currency", "GBP"}}}), "InvalidInput");
  EXPECT_EQ(error({"payment.charge", {{"order_id", "o1"}, {"amount", "1"}, {"currency", "GBP"}}}), "InvalidInput");
  EXPECT_EQ(error({"payment.charge", {{"order_id", "o1"}}}), "InvalidInput");
  EXPECT_EQ(error({"payment.charge", {{"amount", 1}}}), "InvalidInput");
  EXPECT_EQ(result({"payment.charge", {{"order_id", "o1"}, {"amount", 12.0}, {"currency", "GBP"}}})["captured"], 12);
}

TEST_F(PaymentTest, NothingOrLessIsNotCharged) {
  for (const char* activity : {"payment.charge", "payment.authorize"}) {
    for (const json& amount : {json(0), json(-1), json(), json(1e18)}) {
      const Failure failed = failure(Task{activity, {{"order_id", "o1"}, {"amount", amount}, {"currency", "GBP"}}});
      EXPECT_EQ(failed.application_failure_info().type(), "InvalidInput") << amount;
      EXPECT_TRUE(failed.application_failure_info().non_retryable()) << amount;
      EXPECT_EQ(failed.message(), amount.is_null() ? "the field amount is missing"
                                                   : "amount must be a whole number from 1 to 1000000000000000");
    }
  }
  EXPECT_EQ(audit()["payments"], 0);
  EXPECT_EQ(audit()["balanced"], true) << "nor does the provider know of one";
}

TEST_F(PaymentTest, RefusalNamesTheFieldThatIsWrong) {
  const auto sentence = [&](const std::string& activity, const json& input) {
    return failure(Task{activity, input}).message();
  };
  EXPECT_EQ(sentence("payment.charge", {{"amount", 1}}), "the field order_id is missing");
  EXPECT_EQ(sentence("payment.charge", order(1, {{"currency", 5}})), "currency must be a text");
  EXPECT_EQ(sentence("payment.charge", order(1, {{"payment_id", 5}})), "payment_id must be a text");
  EXPECT_EQ(sentence("payment.refund", about({{"refund_id", true}})), "refund_id must be a text");
  EXPECT_EQ(sentence("payment.cancel", about({{"workflow_id", 5}})), "workflow_id must be a text");
  EXPECT_EQ(sentence("payment.audit", {{"per_order", "yes"}}), "per_order must be true or false");
  EXPECT_EQ(sentence("payment.query", nullptr), "the input must be a JSON object with the field order_id");
}

TEST_F(PaymentTest, AuditListsTheSumsOfEachOrder) {
  for (const char* id : {"a", "b", "c"})
    run({"payment.charge", {{"order_id", id}, {"amount", 5}, {"currency", "GBP"}}});
  const json page = result({"payment.audit", {{"per_order", true}, {"after", "a"}, {"limit", 1}}})["orders"];
  EXPECT_EQ(page, json::array({{{"order_id", "b"},
                                {"currency", "GBP"},
                                {"authorized", 5},
                                {"captured", 5},
                                {"voided", 0},
                                {"refunded", 0}}}));
  EXPECT_FALSE(audit().contains("orders"));
}

TEST_F(PaymentTest, OneRefundThatTwoWorkflowsTellIsPaidOnce) {
  run({"payment.charge", order(100)});
  const auto refund = [&](const std::string& workflow, int64_t amount) {
    return run(
        {.type = "payment.refund", .input = about({{"refund_id", "r1"}, {"amount", amount}}), .workflow = workflow});
  };
  EXPECT_EQ(result(refund("return-1", 30))["refunded"], 30);
  EXPECT_EQ(result(refund("return-2", 30))["refunded"], 30);
  EXPECT_EQ(pounds(audit(), "refunded"), 30);
  const Failure other = failure(refund("return-3", 40));
  EXPECT_EQ(other.application_failure_info().type(), "IdempotencyConflict");
  EXPECT_THAT(other.message(),
              testing::AllOf(testing::HasSubstr("\"amount\":30"), testing::HasSubstr("\"amount\":40")));
}

TEST_F(PaymentTest, ReferencesOfOtherPartsAreOtherRefunds) {
  run({"payment.charge", {{"order_id", "a/b"}, {"amount", 100}, {"currency", "GBP"}}});
  run({"payment.charge", {{"order_id", "a"}, {"amount", 100}, {"currency", "GBP"}}});
  EXPECT_EQ(result({"payment.refund", {{"order_id", "a/b"}, {"amount", 10}}})["refunded"], 10);
  EXPECT_EQ(result({"payment.refund", {{"order_id", "a"}, {"refund_id", "b"}, {"amount", 10}}})["refunded"], 10);
  EXPECT_EQ(pounds(audit(), "refunded"), 20);
}

TEST_F(PaymentTest, CurrenciesAreNeverMixed) {
  run({"payment.charge", order(100)});
  run({"payment.charge", {{"order_id", "o2"}, {"amount", 7}, {"currency", "JPY"}}});
  for (const char* step : {"payment.refund", "payment.capture"}) {
    const Failure failed = failure(Task{step, about({{"currency", "JPY"}, {"amount", 5}})});
    EXPECT_EQ(failed.application_failure_info().type(), "CurrencyMismatch") << step;
    EXPECT_TRUE(failed.application_failure_info().non_retryable());
    EXPECT_EQ(failed.message(), "the payment of order o1 is in GBP, and not in JPY");
  }
  EXPECT_EQ(result({"payment.refund", about({{"currency", "GBP"}, {"amount", 5}})})["refunded"], 5);
  const json books = audit();
  EXPECT_EQ(books["balanced"], true) << books;
  EXPECT_EQ(books["currencies"]["JPY"]["captured"], 7);
  EXPECT_EQ(books["currencies"]["GBP"]["captured"], 100);
  EXPECT_FALSE(books.contains("captured")) << "there is no sum of pounds and yen";
}

TEST_F(PaymentTest, CurrencyThatNobodyKnowsIsRefused) {
  for (const json& currency : {json("EURO"), json("eur"), json("XXX"), json(""), json()}) {
    const Failure failed = failure(Task{"payment.charge", order(100, {{"currency", currency}})});
    EXPECT_EQ(failed.application_failure_info().type(), "InvalidInput") << currency;
    EXPECT_TRUE(failed.application_failure_info().non_retryable());
  }
  EXPECT_EQ(audit()["payments"], 0);
}

TEST_F(PaymentTest, OrderThatComesAgainAfterItWasUndoneIsPaidAnew) {
  const auto in_run = [&](const std::string& type, const json& input, const std::string& run_id) {
    return run({.type = type, .input = input, .run_id = run_id});
  };
  EXPECT_EQ(error(in_run("payment.charge", order(100), "first")), "");
  EXPECT_EQ(result(in_run("payment.refund", about({{"refund_id", "r"}, {"amount", 10}}), "first"))["refunded"], 10);
  EXPECT_EQ(result(in_run("payment.cancel", about(), "first"))["undone"], true);
  EXPECT_EQ(error(in_run("payment.charge", order(100), "first")), "AlreadyCompensated") << "a late one";
  EXPECT_EQ(error(in_run("payment.charge", order(250), "second")), "");
  EXPECT_EQ(error(in_run("payment.charge", order(100), "first")), "AlreadyCompensated");
  EXPECT_EQ(error(in_run("payment.refund", about({{"refund_id", "r"}, {"amount", 10}}), "first")), "AlreadyCompensated")
      << "what goes on with what was undone is late too";
  EXPECT_EQ(result(in_run("payment.refund", about({{"refund_id", "r"}, {"amount", 20}}), "second"))["refunded"], 20)
      << "a refund of the new payment";
  EXPECT_EQ(pounds(audit(), "captured"), 350);
  EXPECT_EQ(result(in_run("payment.cancel", about(), "second"))["undone"], true);
  const json books = audit();
  EXPECT_EQ(books["balanced"], true) << books;
  EXPECT_EQ(pounds(books, "refunded"), 350);
}

TEST_F(PaymentTest, DecisionAboutAPaymentStandsWhenAnotherOneComes) {
  run({"payment.authorize", order(100, {{"payment_id", "a"}})});
  for (const char* step : {"payment.capture", "payment.refund"}) {
    SCOPED_TRACE(step);
    Task task{step, about({{"amount", 10}, {"sandbox", {{step, "lose_answer"}}}})};
    EXPECT_EQ(error(task), "AnswerLost");
    run({"payment.authorize", order(100, {{"payment_id", std::string("b-") + step}})});
    task.attempt = 2;
    EXPECT_EQ(error(task), "") << "which payment it is about was decided before the provider was asked";
    run({"payment.cancel", about({{"payment_id", std::string("b-") + step}})});
  }
  EXPECT_EQ(audit()["balanced"], true) << audit();
  EXPECT_EQ(result({"payment.query", about({{"payment_id", "a"}})})["refunded"], 10);
}

}  // namespace
}  // namespace skald::plugins
