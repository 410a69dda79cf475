#include <chrono>
#include <future>
#include <string>

#include <gmock/gmock.h>
#include <httplib.h>

#include "samples/erp/erp_server.h"

namespace skald::erp {
namespace {

class SandboxErpTest : public testing::Test {
 protected:
  SandboxErpTest() : client_(erp_.url()) {
    client_.set_default_headers({{"Authorization", "Bearer sandbox-key"}});
    client_.set_keep_alive(true);
  }

  struct Reply {
    int status = 0;  // 0: none came
    json body;
    httplib::Headers headers;
  };
  static Reply reply(const httplib::Result& result) {
    if (!result) return {};
    return {result->status, json::parse(result->body, nullptr, false), result->headers};
  }
  Reply get(const std::string& path) { return reply(client_.Get(path)); }
  Reply post(const std::string& path, const json& body, const httplib::Headers& headers = {}) {
    return reply(client_.Post(path, headers, body.dump(), "application/json"));
  }
  Reply put(const std::string& path, const json& body, const httplib::Headers& headers = {}) {
    return reply(client_.Put(path, headers, body.dump(), "application/json"));
  }
  static json order(const std::string& reference) {
    return {{"reference", reference},
            {"lines", {{{"sku", "tea"}, {"quantity", 1}}}},
            {"total", 5},
            {"currency", "GBP"},
            {"country", "GB"}};
  }

  ErpServer erp_;
  httplib::Client client_;
};

TEST_F(SandboxErpTest, GivesIdsAndVersions) {
  const Reply made = post("/v1/orders", order("o1"));
  EXPECT_EQ(made.status, 201);
  EXPECT_EQ(made.body["version"], 1);
  EXPECT_EQ(made.headers.find("ETag")->second, "\"1\"");
  const std::string path = "/v1/orders/" + made.body["id"].get<std::string>();
  EXPECT_EQ(get(path).body, made.body);
  EXPECT_EQ(put(path + "/outcome", {{"outcome", "confirmed"}}).status, 428);
  EXPECT_EQ(put(path + "/outcome", {{"outcome", "confirmed"}}, {{"If-Match", "\"1\""}}).body["version"], 2);
  const Reply late = put(path + "/outcome", {{"outcome", "rejected"}}, {{"If-Match", "\"1\""}});
  EXPECT_EQ(late.status, 409);
  EXPECT_EQ(late.body["error"]["code"], "version_conflict");
  EXPECT_EQ(late.body["current"]["state"], "confirmed");
}

TEST_F(SandboxErpTest, DoesOnceWhatIsAskedUnderOneKey) {
  const httplib::Headers key = {{"Idempotency-Key", "k"}};
  const Reply first = post("/v1/orders", order("o1"), key);
  EXPECT_EQ(post("/v1/orders", order("o1"), key).body, first.body);
  EXPECT_EQ(post("/v1/orders", order("o2"), key).status, 422);
  EXPECT_EQ(erp_.books()["orders"].size(), 1);
  EXPECT_EQ(post("/v1/orders", order("o1")).body["error"]["code"], "duplicate_reference");
}

TEST_F(SandboxErpTest, KeyOfWhatWasRefusedIsFree) {
  const httplib::Headers key = {{"Idempotency-Key", "k"}};
  EXPECT_EQ(post("/v1/orders", json::object(), key).status, 422);
  EXPECT_EQ(post("/v1/orders", order("o1"), key).status, 201);
}

TEST_F(SandboxErpTest, RefusesByField) {
  post("/sandbox/items", {{{"sku", "tea"}, {"name", "Tea"}}});
  json wrong = order("o1");
  wrong["lines"][0] = {{"sku", "tee"}, {"quantity", 0}};
  wrong["currency"] = nullptr;
  const Reply refused = post("/v1/orders", wrong);
  EXPECT_EQ(refused.status, 422);
  EXPECT_EQ(refused.body["error"]["fields"], (json{{"currency", "is missing"},
                                                   {"lines[0].quantity", "must be a whole number from 1"},
                                                   {"lines[0].sku", "is not an item: tee"}}));
  EXPECT_EQ(get("/v1/orders/SO-9").status, 404);
  EXPECT_EQ(get("/v1/orders?after=nonsense").status, 422);
  EXPECT_EQ(get("/v1/orders?limit=0").status, 422);
}

TEST_F(SandboxErpTest, AsksWhoOneIs) {
  httplib::Client stranger(erp_.url());
  EXPECT_EQ(stranger.Get("/v1/orders")->status, 401);
  EXPECT_EQ(stranger.Get("/sandbox/books")->status, 200);
}

TEST_F(SandboxErpTest, FeedGivesEachRecordAtItsLastChange) {
  for (const char* reference : {"a", "b", "c"}) post("/v1/orders", order(reference));
  const Reply first = get("/v1/orders?limit=2");
  EXPECT_EQ(first.body["more"], true);
  EXPECT_EQ(first.body["records"].size(), 2);
  post("/sandbox/orders/a", {{"note", "late"}});
  const Reply second = get("/v1/orders?limit=9&after=" + first.body["next"].get<std::string>());
  ASSERT_EQ(second.body["records"].size(), 2);
  EXPECT_EQ(second.body["records"][0]["reference"], "c");
  EXPECT_EQ(second.body["records"][1]["reference"], "a");
  EXPECT_EQ(second.body["records"][1]["updated_by"], "somebody");
  EXPECT_EQ(second.body["more"], false);
}

TEST_F(SandboxErpTest, FaultsHitBeforeOrAfterTheEffect) {
  const auto orders_after = [&](const json& fault) {
    erp_.set_faults({{"POST /v1/orders", fault}});
    const Reply answer = post("/v1/orders", order("o" + std::to_string(erp_.books()["calls"].size()) + fault.dump()));
    erp_.set_faults(json::object());
    return std::pair(answer.status, erp_.books()["orders"].size());
  };
  EXPECT_EQ(orders_after({{"fault", "busy"}}), std::pair(429, size_t{0}));
  EXPECT_EQ(orders_after({{"fault", "error"}, {"status", 502}}), std::pair(502, size_t{0}));
  EXPECT_EQ(orders_after({{"fault", "drop"}}), std::pair(0, size_t{0}));
  EXPECT_EQ(orders_after({{"fault", "lose_answer"}}), std::pair(0, size_t{1}));
  EXPECT_EQ(orders_after({{"fault", "cut"}}), std::pair(0, size_t{2}));
  EXPECT_EQ(orders_after({{"fault", "slow"}, {"ms", 1}}), std::pair(201, size_t{3}));
  EXPECT_EQ(orders_after({{"fault", "late"}, {"ms", 1}}), std::pair(201, size_t{4}));
}

TEST_F(SandboxErpTest, HeldCallHappensWhenThePlanChanges) {
  erp_.set_faults({{"POST /v1/orders", {{"fault", "hold"}}}});
  auto held = std::async(std::launch::async, [&] { return post("/v1/orders", order("o1")).status; });
  ASSERT_TRUE(erp_.wait_for_held());
  EXPECT_EQ(erp_.books()["orders"].size(), 0);
  erp_.set_faults(json::object());
  EXPECT_EQ(held.get(), 201);
}

TEST_F(SandboxErpTest, SomebodyMayChangeOnlyWhatHeHasSeen) {
  post("/v1/orders", order("o1"));
  httplib::Client somebody(erp_.url());
  const auto cancel = [&] {
    return somebody
        .Post("/sandbox/orders/o1", httplib::Headers{{"If-Match", "\"1\""}}, R"({"state": "cancelled"})",
              "application/json")
        ->status;
  };
  EXPECT_EQ(cancel(), 200);
  EXPECT_EQ(cancel(), 409);
}

TEST_F(SandboxErpTest, SameSeedGivesTheSameFaults) {
  const auto drawn = [](int seed) {
    FaultPlan plan({{"seed", seed}, {"*", {{"fault", "busy"}, {"share", 0.3}}}}, {});
    std::string out;
    for (int i = 0; i < 200; ++i) out += plan.next("GET /v1/items").kind == CallFault::Kind::kBusy ? 'x' : '.';
    return out;
  };
  EXPECT_EQ(drawn(1), drawn(1));
  EXPECT_NE(drawn(1), drawn(2));
  const std::string faults = drawn(1);
  EXPECT_THAT(std::count(faults.begin(), faults.end(), 'x'), testing::AllOf(testing::Gt(30), testing::Lt(90)));
}

TEST_F(SandboxErpTest, PlanThatMakesNoSenseIsRefused) {
  EXPECT_EQ(put("/sandbox/faults", {{"POST /v1/nowhere", {{"fault", "busy"}}}}).status, 422);
  EXPECT_EQ(put("/sandbox/faults", {{"*", {{"fault", "flood"}}}}).status, 422);
  EXPECT_EQ(put("/sandbox/faults", {{"*", {{"fault", "busy"}, {"share", 2}}}}).status, 422);
  EXPECT_EQ(put("/sandbox/faults", {{"*", {{"fault", "busy"}, {"often", 2}}}}).status, 422);
  EXPECT_EQ(put("/sandbox/faults", {{"*", {{"fault", "busy"}, {"times", 2}}}}).status, 200);
}

TEST_F(SandboxErpTest, ServesManyConnectionsAtATime) {
  std::vector<std::future<int>> calls;
  for (int i = 0; i < 50; ++i) {
    calls.push_back(std::async(std::launch::async, [this, i] {
      httplib::Client client(erp_.url());
      client.set_default_headers({{"Authorization", "Bearer sandbox-key"}});
      return reply(client.Post("/v1/orders", order(std::to_string(i)).dump(), "application/json")).status;
    }));
  }
  for (auto& call : calls) EXPECT_EQ(call.get(), 201);
  EXPECT_EQ(erp_.books()["orders"].size(), 50);
}

}  // namespace
}  // namespace skald::erp
