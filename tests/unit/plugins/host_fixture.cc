#include "tests/unit/plugins/host_fixture.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <vector>

#include <dlfcn.h>
#include <link.h>

namespace skald::plugins {

HostTest::HostTest() : folder_(testing::TempDir() + "skald-" + full_name()) {
  std::filesystem::remove_all(folder_);
  std::filesystem::create_directories(folder_);
  data_path_ = TestStore::data_path(folder_ + "/books", full_name());
}

HostTest::~HostTest() {
  host_.reset();
  std::filesystem::remove_all(folder_);
}

std::string HostTest::full_name() {
  const auto* info = testing::UnitTest::GetInstance()->current_test_info();
  std::string name = std::string(info->test_suite_name()) + "-" + info->name();
  std::replace(name.begin(), name.end(), '/', '-');
  return name;
}

void HostTest::add(const std::string& from, const std::string& name, const std::string& as) {
  std::filesystem::copy_file(from + "/" + name + ".so", folder_ + "/" + (as.empty() ? name : as) + ".so");
}

void HostTest::configure(const std::string& plugin, const json& config) {
  std::ofstream(folder_ + "/" + plugin + ".json") << config.dump();
}

PluginHostOptions HostTest::options() const {
  return {.folder = folder_,
          .data_path = data_path_,
          .config = {},
          .stop_grace = absl::Seconds(10),
          .isolation_command = {SKALD_BINARY, "plugin", "serve"}};
}

void HostTest::load(PluginHostOptions options) {
  host_.reset();
  host_ = *PluginHost::load(std::move(options));
}

worker::wire::PollActivityTaskQueueResponse HostTest::poll_response(const Task& task) {
  worker::wire::PollActivityTaskQueueResponse out;
  out.set_task_token("token");
  out.mutable_activity_type()->set_name(task.type);
  out.set_attempt(task.attempt);
  out.set_workflow_namespace(task.ns);
  out.mutable_workflow_execution()->set_workflow_id(task.workflow);
  const std::string run_id = task.run_id.empty() ? "run-of-" + task.workflow : task.run_id;
  out.mutable_workflow_execution()->set_run_id(run_id);
  (*out.mutable_header()->mutable_fields())["skald-first-run-id"].set_data(task.chain.empty() ? run_id : task.chain);
  out.mutable_scheduled_time()->set_seconds(absl::ToUnixSeconds(task.scheduled));
  out.mutable_scheduled_time()->set_nanos(static_cast<int32_t>(
      absl::ToInt64Nanoseconds(task.scheduled - absl::FromUnixSeconds(absl::ToUnixSeconds(task.scheduled)))));
  out.set_activity_id(task.activity_id);
  const int64_t ms = absl::ToInt64Milliseconds(task.timeout);
  out.mutable_start_to_close_timeout()->set_seconds(ms / 1000);
  out.mutable_start_to_close_timeout()->set_nanos(static_cast<int32_t>(ms % 1000 * 1000000));
  out.mutable_input()->add_payloads()->set_data(task.input.dump());
  if (!task.heartbeat_details.is_null())
    out.mutable_heartbeat_details()->add_payloads()->set_data(task.heartbeat_details.dump());
  return out;
}

std::future<Outcome> HostTest::start(const Task& task) {
  return start(task, [](auto, auto) {});
}

std::future<Outcome> HostTest::start(const Task& task, worker::ActivityExecutor::Heartbeat heartbeat) {
  auto promise = std::make_shared<std::promise<Outcome>>();
  host_->execute(poll_response(task), std::move(heartbeat),
                 [promise](auto outcome) { promise->set_value(std::move(outcome)); });
  return promise->get_future();
}

json HostTest::result(const Outcome& outcome) {
  const auto* payloads = std::get_if<temporal::api::common::v1::Payloads>(&outcome);
  return payloads == nullptr ? json() : json::parse(payloads->payloads(0).data());
}

Failure HostTest::failure(const Outcome& outcome) {
  const auto* failure = std::get_if<Failure>(&outcome);
  return failure == nullptr ? Failure() : *failure;
}

std::string HostTest::error(const Outcome& outcome) {
  const Failure f = failure(outcome);
  return f.has_timeout_failure_info() ? "Timeout" : f.application_failure_info().type();
}

void HostTest::release_hanging() {
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

}  // namespace skald::plugins
