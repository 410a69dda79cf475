#include "tests/unit/erp/erp_fixture.h"

#include <cstdlib>
#include <utility>

#include <httplib.h>

namespace skald::plugins {

ErpTest::ErpTest() {
  setenv("SKALD_ERP_TEST_KEY", "sandbox-key", 1);
  add(PLUGINS_FOLDER, "erp");
  load_with(json::object());
}

void ErpTest::load_with(const json& more) {
  json config = {{"url", erp_.url()},
                 {"api_key", "env:SKALD_ERP_TEST_KEY"},
                 {"http", {{"tries", 1}, {"breaker_failures", 0}, {"timeout_ms", 10000}}}};
  config.update(more);
  configure("erp", config);
  load();
  ASSERT_EQ(host_->problems(), std::vector<std::string>());
}

Outcome ErpTest::insist(Task task) {
  Outcome outcome = run(task);
  for (; task.attempt < 20 && is_retryable(outcome); ++task.attempt) outcome = run(task);
  return outcome;
}

bool ErpTest::is_retryable(const Outcome& outcome) {
  return !error(outcome).empty() && !failure(outcome).application_failure_info().non_retryable();
}

ErpTest::Task ErpTest::task(const std::string& type, json input, const std::string& workflow) {
  return {.type = "erp." + type, .input = std::move(input), .workflow = workflow, .activity_id = next_id()};
}

json ErpTest::order(const std::string& id, const json& more) {
  json input = {{"order_id", id},
                {"items", json::array({{{"sku", "tea"}, {"quantity", 2}}})},
                {"total", 1250},
                {"currency", "GBP"},
                {"country", "GB"}};
  input.update(more);
  return input;
}

json ErpTest::outcome_of(const std::string& id, const std::string& outcome) {
  return {{"order_id", id}, {"outcome", outcome}};
}

json ErpTest::somebody(const std::string& path, const json& change) {
  httplib::Client client(erp_.url());
  const auto reply = client.Post("/sandbox/" + path, change.dump(), "application/json");
  EXPECT_TRUE(reply && reply->status < 300) << path << ": " << (reply ? reply->body : "no answer");
  return reply ? json::parse(reply->body) : json();
}

json ErpTest::records(const std::string& kind) { return erp_.books()[kind]; }

int64_t ErpTest::calls(const std::string& route) { return erp_.books()["calls"].value(route, int64_t{0}); }

json ErpTest::audit() { return insisted(task("audit", json::object())); }

}  // namespace skald::plugins
