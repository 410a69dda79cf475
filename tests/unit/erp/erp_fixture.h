#pragma once

#include <memory>
#include <string>

#include "samples/erp/erp_server.h"
#include "tests/unit/plugins/host_fixture.h"

namespace skald::plugins {

// The ERP plugin in a host, and a sandbox ERP of the test's own.
class ErpTest : public HostTest {
 protected:
  ErpTest();

  // One try a call: what goes wrong is the attempt's.
  void load_with(const json& more);
  void load_with_rules(const json& conflicts) { load_with({{"conflicts", conflicts}}); }

  // As the engine does: attempt after attempt, until one succeeds or its failure is for good.
  Outcome insist(Task task);
  json insisted(const Task& task) { return result(insist(task)); }
  static bool is_retryable(const Outcome& outcome);

  // An activity of its own each time.
  Task task(const std::string& type, json input, const std::string& workflow = "w1");
  std::string next_id() { return std::to_string(++activities_); }

  static json order(const std::string& id, const json& more = json::object());
  static json outcome_of(const std::string& id, const std::string& outcome);

  // Somebody in the ERP does it.
  json somebody(const std::string& path, const json& change);
  json records(const std::string& kind);
  int64_t calls(const std::string& route);
  json audit();

  erp::ErpServer erp_;
  int activities_ = 0;
};

}  // namespace skald::plugins
