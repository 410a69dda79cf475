#pragma once

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <link.h>
#include <nlohmann/json.hpp>

#include "plugins/host/plugin_host.h"
#include "tests/unit/plugins/test_store.h"

namespace skald::plugins {

using nlohmann::json;
using Outcome = worker::ActivityOutcome;
using Failure = temporal::api::failure::v1::Failure;

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
  };

  HostTest() : folder_(testing::TempDir() + "skald-" + full_name()) {
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
    data_path_ = TestStore::data_path(folder_ + "/books", full_name());
  }
  ~HostTest() override {
    host_.reset();
    std::filesystem::remove_all(folder_);
  }

  static std::string full_name() {
    const auto* info = testing::UnitTest::GetInstance()->current_test_info();
    std::string name = std::string(info->test_suite_name()) + "-" + info->name();
    std::replace(name.begin(), name.end(), '/', '-');
    return name;
  }
  void add(const std::string& from, const std::string& name, const std::string& as = "") {
    std::filesystem::copy_file(from + "/" + name + ".so", folder_ + "/" + (as.empty() ? name : as) + ".so");
  }
  void configure(const std::string& plugin, const json& config) {
    std::ofstream(folder_ + "/" + plugin + ".json") << config.dump();
  }
  PluginHostOptions options() const {
    return {.folder = folder_,
            .data_path = data_path_,
            .config = {},
            .stop_grace = absl::Seconds(10),
            .isolation_command = {SKALD_BINARY, "plugin", "serve"}};
  }
  void load() { load(options()); }
  void load(PluginHostOptions options) {
    host_.reset();
    host_ = *PluginHost::load(std::move(options));
  }
  // Loads one of the product's plugins, or one of the fixtures.
  void load_product(const std::string& name) { add(PLUGINS_FOLDER, name), load(); }
  void load_fixture(const std::string& name) { add(TEST_PLUGINS_FOLDER, name), load(); }

  static worker::api::PollActivityTaskQueueResponse poll_response(const Task& task) {
    worker::api::PollActivityTaskQueueResponse out;
    out.set_task_token("token");
    out.mutable_activity_type()->set_name(task.type);
    out.set_attempt(task.attempt);
    out.set_workflow_namespace(task.ns);
    out.mutable_workflow_execution()->set_workflow_id(task.workflow);
    out.mutable_workflow_execution()->set_run_id("run-of-" + task.workflow);
    out.set_activity_id(task.activity_id);
    const int64_t ms = absl::ToInt64Milliseconds(task.timeout);
    out.mutable_start_to_close_timeout()->set_seconds(ms / 1000);
    out.mutable_start_to_close_timeout()->set_nanos(static_cast<int32_t>(ms % 1000 * 1000000));
    out.mutable_input()->add_payloads()->set_data(task.input.dump());
    if (!task.heartbeat_details.is_null())
      out.mutable_heartbeat_details()->add_payloads()->set_data(task.heartbeat_details.dump());
    return out;
  }

  std::future<Outcome> start(
      const Task& task, worker::ActivityExecutor::Heartbeat heartbeat = [](auto, auto) {}) {
    auto promise = std::make_shared<std::promise<Outcome>>();
    host_->execute(poll_response(task), std::move(heartbeat),
                   [promise](auto outcome) { promise->set_value(std::move(outcome)); });
    return promise->get_future();
  }
  Outcome run(const Task& task) { return start(task).get(); }
  // The result, or null when it failed.
  json result(const Task& task) { return result(run(task)); }
  static json result(const Outcome& outcome) {
    const auto* payloads = std::get_if<temporal::api::common::v1::Payloads>(&outcome);
    return payloads == nullptr ? json() : json::parse(payloads->payloads(0).data());
  }
  Failure failure(const Task& task) { return failure(run(task)); }
  static Failure failure(const Outcome& outcome) {
    const auto* failure = std::get_if<Failure>(&outcome);
    return failure == nullptr ? Failure() : *failure;
  }
  // The failure's type, "Timeout", or "" when there was none.
  std::string error(const Task& task) { return error(run(task)); }
  static std::string error(const Outcome& outcome) {
    const Failure f = failure(outcome);
    return f.has_timeout_failure_info() ? "Timeout" : f.application_failure_info().type();
  }

  // Lets the fixture's hanging activities go on, whichever copies of it are loaded.
  static void release_hanging() {
    std::vector<std::string> names;
    dl_iterate_phdr(
        [](dl_phdr_info* info, size_t, void* out) {
          static_cast<std::vector<std::string>*>(out)->emplace_back(info->dlpi_name);
          return 0;
        },
        &names);
    for (const std::string& name : names) {
      if (name.rfind("/proc/self/fd/", 0) != 0) continue;
      void* library = dlopen(name.c_str(), RTLD_NOW | RTLD_NOLOAD);
      if (library == nullptr) continue;
      if (void* release = dlsym(library, "release_hanging")) reinterpret_cast<void (*)()>(release)();
      dlclose(library);
    }
  }

  const std::string folder_;
  std::string data_path_;
  std::unique_ptr<PluginHost> host_;
};

}  // namespace skald::plugins
