#pragma once

#include <cstdlib>
#include <memory>
#include <string>
#include <utility>

#include <httplib.h>

#include "samples/erp/erp_server.h"
#include "tests/unit/plugins/host_fixture.h"

namespace skald::plugins {

// The ERP plugin in a host, and a sandbox ERP of the test's own.
class ErpTest : public HostTest {
 protected:
  ErpTest() {
    setenv("SKALD_ERP_TEST_KEY", "sandbox-key", 1);
    add(PLUGINS_FOLDER, "erp");
    load_with(json::object());
  }

  // One try a call: what goes wrong is the attempt's.
  void load_with(const json& more) {
    json config = {{"url", erp_.url()},
                   {"api_key", "env:SKALD_ERP_TEST_KEY"},
                   {"http", {{"tries", 1}, {"breaker_failures", 0}, {"timeout_ms", 10000}}}};
    config.update(more);
    configure("erp", config);
    load();
    ASSERT_EQ(host_->problems(), std::vector<std::string>());
  }
  void load_with_rules(const json& conflicts) { load_with({{"conflicts", conflicts}}); }

  // As the engine does: attempt after attempt, until one succeeds or its failure is for good.
  Outcome insist(Task task) {
    Outcome outcome = run(task);
    for (; task.attempt < 20 && is_retryable(outcome); ++task.attempt) outcome = run(task);
    return outcome;
  }
  json insisted(const Task& task) { return result(insist(task)); }
  static bool is_retryable(const Outcome& outcome) {
    return !error(outcome).empty() && !failure(outcome).application_failure_info().non_retryable();
  }

  // An activity of its own each time.
  Task task(const std::string& type, json input, const std::string& workflow = "w1") {
    return {.type = "erp." + type, .input = std::move(input), .workflow = workflow, .activity_id = next_id()};
  }
  std::string next_id() { return std::to_string(++activities_); }

  static json order(const std::string& id, const json& more = json::object()) {
    json input = {{"order_id", id},
                  {"items", json::array({{{"sku", "tea"}, {"quantity", 2}}})},
                  {"total", 1250},
                  {"currency", "GBP"},
                  {"country", "GB"}};
    input.update(more);
    return input;
  }
  static json outcome_of(const std::string& id, const std::string& outcome) {
    return {{"order_id", id}, {"outcome", outcome}};
  }

  // Somebody in the ERP does it.
  json somebody(const std::string& path, const json& change) {
    httplib::Client client(erp_.url());
    const auto reply = client.Post("/sandbox/" + path, change.dump(), "application/json");
    EXPECT_TRUE(reply && reply->status < 300) << path << ": " << (reply ? reply->body : "no answer");
    return reply ? json::parse(reply->body) : json();
  }
  json records(const std::string& kind) { return erp_.books()[kind]; }
  int64_t calls(const std::string& route) { return erp_.books()["calls"].value(route, int64_t{0}); }
  json audit() { return insisted(task("audit", json::object())); }

  erp::ErpServer erp_;
  int activities_ = 0;
};

}  // namespace skald::plugins
