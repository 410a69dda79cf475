#include "plugins/llm/budget.h"

#include <atomic>
#include <thread>

#include <httplib.h>

#include "tests/unit/llm/llm_fixture.h"

namespace skald::plugins {
namespace {

class BudgetTest : public LlmTest {
 protected:
  BudgetTest() { answer_always(approval().dump()); }
  static json of_tokens(int64_t tokens) { return {{"budgets", {{"*", {{"tokens_per_day", tokens}}}}}}; }
  json usage(const std::string& ns = "default") {
    Task usage = task("usage", json::object());
    usage.ns = ns;
    return result(usage);
  }
};

TEST_F(BudgetTest, BeyondItNobodyIsAsked) {
  start_host(of_tokens(50));
  const auto failed = failure(decide());
  EXPECT_EQ(failed.application_failure_info().type(), "LlmBudgetExceeded");
  EXPECT_TRUE(failed.application_failure_info().non_retryable());
  EXPECT_EQ(result(decide({{"fallback", rule()}}, "w2"))["reason"], "budget");
  EXPECT_TRUE(requests().empty());
}

TEST_F(BudgetTest, WhatWasUsedIsCountedAndNothingStaysReserved) {
  start_host(of_tokens(100000));
  const json decision = result(decide());
  const json use = usage();
  EXPECT_EQ(use["tokens"],
            decision["tokens"]["prompt"].get<int64_t>() + decision["tokens"]["completion"].get<int64_t>());
  EXPECT_EQ(use["reserved"]["tokens"], 0);
  EXPECT_EQ(use["budget"]["tokens_per_day"], 100000);
  result(decide());  // found on record: it costs nothing
  EXPECT_EQ(usage()["tokens"], use["tokens"]);
}

TEST_F(BudgetTest, ConcurrentCallsCannotOverrunIt) {
  script({{{"when", json::object()}, {"then", {{"output", approval()}, {"delay_ms", 300}}}}});
  start_host(of_tokens(1800));
  std::vector<std::future<Outcome>> running;
  for (int i = 0; i < 20; ++i) running.push_back(start(decide({}, "w" + std::to_string(i))));
  int decided = 0;
  for (auto& each : running) decided += error(each.get()).empty() ? 1 : 0;
  EXPECT_GT(decided, 0);
  EXPECT_LT(decided, 20);
  EXPECT_LE(usage()["tokens"], 1800);
  EXPECT_EQ(chats().size(), static_cast<size_t>(decided));
}

TEST_F(BudgetTest, NamespacesHaveTheirOwn) {
  start_host({{"budgets", {{"poor", {{"tokens_per_day", 1}}}}}});
  Task poor = decide();
  poor.ns = "poor";
  EXPECT_EQ(error(poor), "LlmBudgetExceeded");
  EXPECT_EQ(error(decide()), "");
  EXPECT_EQ(usage("poor")["tokens"], 0);
  EXPECT_GT(usage()["tokens"], 0);
}

TEST_F(BudgetTest, CostsAreLimitedToo) {
  start_host({{"prices", {{"*", {{"prompt", 1000000000}}}}}, {"budgets", {{"*", {{"cost_micros_per_day", 1000}}}}}});
  EXPECT_EQ(error(decide()), "LlmBudgetExceeded");
}

TEST_F(BudgetTest, FailedCallsGiveBackWhatTheyReserved) {
  script({{{"when", json::object()}, {"then", {{"status", 503}}}}});
  start_host({{"budgets", {{"*", {{"tokens_per_day", 100000}}}}}, {"tries", 1}});
  EXPECT_EQ(error(decide()), "LlmUnavailable");
  EXPECT_EQ(usage()["reserved"]["tokens"], 0);
  EXPECT_EQ(usage()["tokens"], 0);
}

// Answers without words, each of which costs as much as the endpoint says.
class DearTries : public BudgetTest {
 protected:
  DearTries() {
    for (const char* path : {"/v1/chat/completions", "/v1/embeddings"}) {
      server_.Post(path, [this](const httplib::Request&, httplib::Response& response) {
        ++asked_;
        const json usage = {{"prompt_tokens", 3000}, {"completion_tokens", 1000}};
        response.set_content(json{{"choices", {{{"message", {{"content", ""}}}}}}, {"usage", usage}}.dump(),
                             "application/json");
      });
    }
    port_of_it_ = server_.bind_to_any_port("127.0.0.1");
    serving_ = std::thread([this] { server_.listen_after_bind(); });
  }
  ~DearTries() override {
    host_.reset();
    server_.stop();
    serving_.join();
  }
  void start_dear_host(int64_t tokens) {
    json config = of_tokens(tokens);
    config["url"] = "http://127.0.0.1:" + std::to_string(port_of_it_) + "/v1";
    config["tries"] = 5;
    config["max_tokens"] = 100;
    config["stream"] = false;
    start_host(config);
  }

  httplib::Server server_;
  std::atomic<int> asked_ = 0;
  int port_of_it_ = 0;
  std::thread serving_;
};

TEST_F(DearTries, EachNeedsRoomInTheBudget) {
  start_dear_host(4200);
  EXPECT_EQ(error(decide()), "LlmBudgetExceeded");
  EXPECT_EQ(asked_, 1);
  EXPECT_EQ(usage()["tokens"], 4000);
  EXPECT_EQ(usage()["reserved"]["tokens"], 0);
  EXPECT_EQ(result(decide({{"fallback", rule()}}, "w2"))["reason"], "budget");
  EXPECT_EQ(error(task("chat", {{"messages", {{{"role", "user"}, {"content", "hello"}}}}})), "LlmBudgetExceeded");
  EXPECT_EQ(asked_, 2);
}

TEST_F(DearTries, OfEmbeddingsToo) {
  start_dear_host(2000);
  EXPECT_EQ(error(task("embed", {{"texts", {std::string(4000, 'x')}}})), "LlmBudgetExceeded");
  EXPECT_EQ(asked_, 1);
  EXPECT_GT(usage()["tokens"], 0);
}

TEST_F(BudgetTest, EmbeddingsCount) {
  start_host(of_tokens(100000));
  result(task("embed", {{"texts", {"one text", "another"}}}));
  EXPECT_GT(usage()["tokens"], 0);
}

TEST_F(BudgetTest, AUsageThatCannotBeTrueIsEstimated) {
  httplib::Server server;
  server.Post("/v1/embeddings", [](const httplib::Request&, httplib::Response& response) {
    response.set_content(R"({"data": [{"index": 0, "embedding": [1]}], "usage": {"prompt_tokens": -900000000}})",
                         "application/json");
  });
  const int port = server.bind_to_any_port("127.0.0.1");
  std::thread serving([&server] { server.listen_after_bind(); });
  json config = of_tokens(100000);
  config["url"] = "http://127.0.0.1:" + std::to_string(port) + "/v1";
  start_host(config);
  const Outcome embedded = run(task("embed", {{"texts", {"one text"}}}));
  host_.reset();
  server.stop();
  serving.join();
  EXPECT_GT(result(embedded)["tokens"], 0);
}

// The transaction's side of it.
class ReservationTest : public testing::Test {
 protected:
  ReservationTest() : db_(TestStore::open(TestStore::data_path(testing::TempDir() + "skald-reservations", "books"))) {
    plugin::llm::create_budget_tables(*db_);
  }
  bool reserve(const std::string& key, int64_t tokens, int64_t now, int64_t expires) {
    plugin::llm::Budget budget;
    budget.tokens = 100;
    return plugin::llm::reserve(*db_, account_, key, {tokens, 0}, budget, now, expires).empty();
  }
  const plugin::llm::Account account_{"default", "2030-01-31"};
  std::unique_ptr<plugin::LedgerStore> db_;
};

TEST_F(ReservationTest, OfACallThatNeverCameBackExpires) {
  EXPECT_TRUE(reserve("a", 60, 1000, 2000));
  EXPECT_FALSE(reserve("b", 60, 1999, 5000));
  EXPECT_TRUE(reserve("b", 60, 2000, 5000));
}

TEST_F(ReservationTest, NoUseEverLiftsIt) {
  for (int i = 0; i < 3; ++i) plugin::llm::settle(*db_, account_, "a", {INT64_MAX - 5, INT64_MAX - 5});
  EXPECT_EQ(plugin::llm::usage(*db_, account_, {}, 1000)["tokens"], INT64_MAX);
  EXPECT_EQ(plugin::llm::usage(*db_, account_, {}, 1000)["cost_micros"], INT64_MAX);
  EXPECT_FALSE(reserve("b", 1, 1000, 2000));
  plugin::llm::Settings dear;
  dear.prices["*"] = {1000000000000000, 0};
  EXPECT_EQ(dear.cost_micros("m", {INT64_MAX, 0, false}), INT64_MAX);
}

TEST_F(ReservationTest, AnAttemptTakesTheOneBeforesPlace) {
  EXPECT_TRUE(reserve("a", 60, 1000, 2000));
  EXPECT_TRUE(reserve("a", 100, 1000, 2000));
  EXPECT_FALSE(reserve("a", 101, 1000, 2000));
}

}  // namespace
}  // namespace skald::plugins
