#pragma once

#include <future>
#include <memory>
#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "plugins/host/plugin_host.h"
#include "tests/unit/plugins/test_store.h"

namespace skald::plugins {

using nlohmann::json;
using Outcome = worker::ActivityOutcome;
using Failure = temporal::api::failure::v1::Failure;

// A sum of payment.audit, in pounds.
inline int64_t pounds(const json& audit, const std::string& sum) {
  return audit.at("currencies").value("GBP", json::object()).value(sum, int64_t{0});
}

// A host with copies of plugins in a folder of its own.
class HostTest : public testing::Test {
 protected:
  struct Task {
    std::string type;
    json input = json::object();
    int attempt = 1;
    absl::Duration timeout = absl::Minutes(1);
    std::string ns = "default", workflow = "w1", activity_id = "1";
    json heartbeat_details = nullptr;
    std::string run_id = "", chain = "";  // none: the workflow's only run
    absl::Time scheduled = absl::Now();
  };

  HostTest();
  ~HostTest() override;

  static std::string full_name();
  void add(const std::string& from, const std::string& name, const std::string& as = "");
  void configure(const std::string& plugin, const json& config);
  PluginHostOptions options() const;
  void load() { load(options()); }
  void load(PluginHostOptions options);
  // Loads one of the product's plugins, or one of the fixtures.
  void load_product(const std::string& name) { add(PLUGINS_FOLDER, name), load(); }
  void load_fixture(const std::string& name) { add(TEST_PLUGINS_FOLDER, name), load(); }

  static worker::wire::PollActivityTaskQueueResponse poll_response(const Task& task);
  std::future<Outcome> start(const Task& task);
  std::future<Outcome> start(const Task& task, worker::ActivityExecutor::Heartbeat heartbeat);
  Outcome run(const Task& task) { return start(task).get(); }
  // The result, or null when it failed.
  json result(const Task& task) { return result(run(task)); }
  static json result(const Outcome& outcome);
  Failure failure(const Task& task) { return failure(run(task)); }
  static Failure failure(const Outcome& outcome);
  // The failure's type, "Timeout", or "" when there was none.
  std::string error(const Task& task) { return error(run(task)); }
  static std::string error(const Outcome& outcome);

  // Lets the fixture's hanging activities go on, whichever copies of it are loaded.
  static void release_hanging();

  const std::string folder_;
  std::string data_path_;
  std::unique_ptr<PluginHost> host_;
};

}  // namespace skald::plugins
