#include <thread>

#include <gmock/gmock.h>

#include "tests/unit/erp/erp_fixture.h"

namespace skald::plugins {
namespace {

struct Trouble {
  const char* name;
  json fault;
};

const Trouble kTroubles[] = {{"busy", {{"fault", "busy"}, {"retry_after", 0}}},
                             {"internal", {{"fault", "error"}, {"status", 500}}},
                             {"unavailable", {{"fault", "error"}, {"status", 503}}},
                             {"gateway", {{"fault", "error"}, {"status", 504}}},
                             {"drop", {{"fault", "drop"}}},
                             {"slow", {{"fault", "slow"}, {"ms", 1000}}},
                             {"lost", {{"fault", "lose_answer"}}},
                             {"cut", {{"fault", "cut"}}},
                             {"rival", {{"fault", "rival"}}}};

struct Call {
  const char* activity;
  json input;
};

// In the order in which they make sense.
const Call kCalls[] = {
    {"push_order",
     {{"order_id", "o1"},
      {"items", {{{"sku", "tea"}, {"quantity", 1}}}},
      {"total", 5},
      {"currency", "GBP"},
      {"country", "GB"}}},
    {"push_outcome", {{"order_id", "o1"}, {"outcome", "confirmed"}}},
    {"push_item", {{"sku", "tea"}, {"name", "Green tea"}, {"price", 450}}},
    {"push_stock", {{"sku", "tea"}, {"quantity", 40}}},
    {"pull", {{"what", "items"}}},
    {"pull", {{"what", "stock"}}},
    {"pull", {{"what", "orders"}}},
    {"create_work_order", {{"reference", "r1"}, {"asset", "press 3"}, {"kind", "repair"}, {"description", "noise"}}},
    {"assign_work_order", {{"reference", "r1"}, {"skill", "mechanics"}}},
    {"complete_work_order", {{"reference", "r1"}, {"by", "Ada"}}},
    {"create_work_order", {{"reference", "r2"}, {"asset", "press 4"}, {"kind", "repair"}, {"description", "heat"}}},
    {"cancel_work_order", {{"reference", "r2"}, {"reason", "false alarm"}}},
    {"audit", json::object()}};

class FaultTest : public ErpTest, public testing::WithParamInterface<Trouble> {
 protected:
  // Everything once, with this trouble at this call of each route; what the ERP has in the end, without times.
  json play(const json& faults) {
    somebody("items", json::array({{{"sku", "tea"}, {"name", "Tea"}}}));
    somebody("stock/tea", json::object());
    erp_.set_faults(faults);
    for (const Call& call : kCalls) {
      const Outcome outcome = insist(task(call.activity, call.input));
      EXPECT_EQ(error(outcome), "") << call.activity << ": " << failure(outcome).message();
    }
    EXPECT_EQ(audit()["balanced"], true) << audit();
    json out = json::object();
    for (const char* kind : {"items", "stock", "orders", "work_orders"}) {
      for (json record : records(kind)) {
        for (const char* field : {"version", "updated_at_ms", "updated_by", "note"}) record.erase(field);
        out[kind].push_back(record);
      }
    }
    return out;
  }
};

TEST_P(FaultTest, LeavesNothingUndoneAndDoesNothingTwice) {
  somebody("stock/tea/receive", {{"quantity", 3}});
  json fault = GetParam().fault;
  fault["share"] = 0.5;
  if (fault["fault"] == "slow") load_with({{"http", {{"tries", 1}, {"breaker_failures", 0}, {"timeout_ms", 100}}}});
  if (fault["fault"] == "slow") fault["times"] = 6;
  const json troubled = play({{"*", fault}, {"seed", 3}});
  EXPECT_GE(erp_.books()["faults"].size(), 1);
  EXPECT_EQ(troubled["orders"].size(), 1);
  EXPECT_EQ(troubled["orders"][0]["state"], "confirmed");
  EXPECT_EQ(troubled["items"][0]["name"], "Green tea");
  EXPECT_EQ(troubled["stock"][0]["quantity"], 40);
  EXPECT_EQ(troubled["work_orders"].size(), 2);
  EXPECT_EQ(troubled["work_orders"][0]["state"], "completed");
  EXPECT_EQ(troubled["work_orders"][1]["state"], "cancelled");
}

// The first call of every route goes wrong: so each activity meets the trouble for certain.
TEST_P(FaultTest, HitsEveryActivityAndNoneMinds) {
  somebody("stock/tea/receive", {{"quantity", 3}});
  if (GetParam().fault["fault"] == "slow")
    load_with({{"http", {{"tries", 1}, {"breaker_failures", 0}, {"timeout_ms", 100}}}});
  json fault = GetParam().fault, faults = json::object();
  fault["times"] = 1;
  for (const char* route :
       {"POST /v1/orders", "PUT /v1/orders/{id}/outcome", "PUT /v1/items/{id}", "PUT /v1/stock/{id}", "GET /v1/items",
        "GET /v1/stock", "GET /v1/orders", "POST /v1/work-orders", "POST /v1/work-orders/{id}/assign",
        "POST /v1/work-orders/{id}/complete", "POST /v1/work-orders/{id}/cancel", "GET /v1/work-orders"}) {
    faults[route] = fault;
  }
  const json troubled = play(faults);
  EXPECT_EQ(erp_.books()["faults"][GetParam().fault["fault"]], 12);
  EXPECT_EQ(troubled["orders"].size(), 1);
  EXPECT_EQ(troubled["work_orders"].size(), 2);
  EXPECT_EQ(troubled["stock"][0]["quantity"], 40);
}

INSTANTIATE_TEST_SUITE_P(Troubles, FaultTest, testing::ValuesIn(kTroubles),
                         [](const auto& info) { return std::string(info.param.name); });

using FaultOnceTest = ErpTest;

TEST_F(FaultOnceTest, LostAnswerIsFoundAgainByAskingFirst) {
  erp_.set_faults({{"POST /v1/orders", {{"fault", "lose_answer"}, {"times", 1}}}});
  const Task push = task("push_order", order("o1"));
  EXPECT_EQ(error(push), "HttpConnectionLost");
  EXPECT_EQ(records("orders").size(), 1) << "the ERP has done it";
  EXPECT_EQ(audit()["orders"]["unresolved"], 1);
  EXPECT_EQ(audit()["balanced"], false);
  EXPECT_EQ(result(push)["erp_id"], records("orders")[0]["id"]);
  EXPECT_EQ(calls("POST /v1/orders"), 1) << "it was not sent again";
  EXPECT_EQ(audit()["balanced"], true);
}

TEST_F(FaultOnceTest, LostAnswerIsAnsweredAgainUnderTheSameKey) {
  load_with({{"http", {{"tries", 3}, {"first_retry_ms", 1}}}});
  erp_.set_faults({{"POST /v1/orders", {{"fault", "lose_answer"}, {"times", 2}}}});
  EXPECT_EQ(result(task("push_order", order("o1")))["version"], 1);
  EXPECT_EQ(calls("POST /v1/orders"), 3);
  EXPECT_EQ(erp_.books()["replayed"], 2);
  EXPECT_EQ(records("orders").size(), 1);
}

TEST_F(FaultOnceTest, OutcomeFindsTheOrderWhoseAnswerNobodyHeard) {
  erp_.set_faults({{"POST /v1/orders", {{"fault", "lose_answer"}, {"times", 1}}}});
  EXPECT_EQ(error(task("push_order", order("o1"))), "HttpConnectionLost");
  EXPECT_EQ(result(task("push_outcome", outcome_of("o1", "cancelled")))["outcome"], "cancelled");
  EXPECT_EQ(audit()["balanced"], true) << audit();
}

TEST_F(FaultOnceTest, SurvivesAHostThatIsStartedAgain) {
  erp_.set_faults({{"POST /v1/orders", {{"fault", "lose_answer"}, {"times", 1}}}});
  const Task push = task("push_order", order("o1"));
  run(push);
  load();
  EXPECT_EQ(result(push)["version"], 1);
  EXPECT_EQ(records("orders").size(), 1);
}

// Something that answers every request alike: a proxy, a page of maintenance, an ERP that is not what it should be.
class StrangeAnswerTest : public ErpTest {
 protected:
  StrangeAnswerTest() {
    const auto answer = [this](const httplib::Request&, httplib::Response& response) {
      response.status = status_;
      response.set_content(body_, "application/json");
    };
    server_.Get(".*", answer).Post(".*", answer).Put(".*", answer);
    port_ = server_.bind_to_any_port("127.0.0.1");
    thread_ = std::thread([this] { server_.listen_after_bind(); });
  }
  ~StrangeAnswerTest() override {
    server_.stop();
    thread_.join();
  }
  void load_strange() { load_with({{"url", "http://127.0.0.1:" + std::to_string(port_)}}); }
  void answer(int status, const std::string& body) {
    status_ = status;
    body_ = body;
  }
  // What every activity that asks the ERP makes of it.
  void expect_trouble(const std::string& type) {
    for (const Call& call : kCalls) {
      const Outcome outcome = run(task(call.activity, call.input, "w" + next_id()));
      if (error(outcome) == "OrderNotPushed" || error(outcome) == "WorkOrderNotFound" || error(outcome) == "") continue;
      EXPECT_EQ(error(outcome), type) << call.activity << " after " << status_ << " " << body_ << ": "
                                      << failure(outcome).message();
      EXPECT_TRUE(is_retryable(outcome)) << call.activity << " after " << status_ << " " << body_;
    }
    const Outcome first = run(task("push_order", order("o" + next_id()), "w" + next_id()));
    EXPECT_EQ(error(first), type);
  }

  httplib::Server server_;
  std::thread thread_;
  int port_ = 0;
  std::atomic<int> status_ = 200;
  std::string body_;
};

TEST_F(StrangeAnswerTest, FailureThatIsNotInTheErpsWordsIsTriedAgain) {
  load_strange();
  const std::vector<std::tuple<int, const char*, const char*>> answers = {
      {401, R"({"error": "invalid token"})", "ErpUnauthorized"},
      {401, R"({"error": {"code": 17, "message": null}})", "ErpUnauthorized"},
      {503, R"({"error": "maintenance"})", "ErpUnavailable"},
      {502, "[1, 2]", "ErpUnavailable"},
      {429, R"({"error": "slow down"})", "ErpBusy"},
      {404, R"({"error": "no such route"})", "ErpUnreadable"},
      {404, "<html>", "ErpUnreadable"},
      {302, "", "ErpUnreadable"}};
  for (const auto& [status, body, type] : answers) {
    answer(status, body);
    expect_trouble(type);
  }
}

TEST_F(StrangeAnswerTest, SuccessThatIsNoRecordIsTriedAgain) {
  load_strange();
  for (const char* body :
       {"[]", R"("ok")", "null", "", R"({"id": 5, "version": "x"})", R"({"id": "1", "version": 1.5, "records": {}})",
        R"({"id": ["1"], "records": [5], "next": "c"})", R"({"version": {}, "records": [{"id": 7}], "next": "c"})"}) {
    answer(200, body);
    expect_trouble("ErpUnreadable");
  }
}

TEST_F(StrangeAnswerTest, SentenceSaysWhatIsKnown) {
  load_strange();
  answer(502, "");
  EXPECT_EQ(failure(run(task("push_order", order("o1")))).message(), "POST /v1/orders: 502");
  answer(503, R"({"error": "maintenance"})");
  EXPECT_EQ(failure(run(task("push_order", order("o2")))).message(), "POST /v1/orders: 503 maintenance");
  answer(422, R"({"error": []})");
  const Outcome refused = run(task("push_order", order("o3")));
  EXPECT_EQ(error(refused), "ErpRefused");
  EXPECT_EQ(failure(refused).message(), "the ERP refuses: 422");
}

TEST_F(StrangeAnswerTest, OrderWhoseAnswerWasUnreadableIsWrittenOnce) {
  load_strange();
  const Task push = task("push_order", order("o1"));
  answer(200, "[]");
  EXPECT_EQ(error(push), "ErpUnreadable");
  load_with(json::object());
  EXPECT_EQ(result(push)["version"], 1);
  EXPECT_EQ(records("orders").size(), 1);
  EXPECT_EQ(audit()["balanced"], true) << audit();
}

}  // namespace
}  // namespace skald::plugins
