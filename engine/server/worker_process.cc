#include "engine/server/worker_process.h"

#include <algorithm>
#include <filesystem>
#include <thread>
#include <utility>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include "engine/base/thread_executor.h"
#include "engine/server/plugin_reloader.h"
#include "engine/server/script_executor.h"
#include "engine/server/script_log.h"
#include "engine/worker/activity_worker.h"
#include "engine/worker/connection_report.h"
#include "engine/worker/workflow_worker.h"
#include "plugins/host/plugin_host.h"

namespace skald::server {
namespace {

// Polls that the server ends by itself, as it is told that the worker goes, cannot lose a task; those that are
// cancelled can. Not every server does, so this is all the time it has.
constexpr absl::Duration kPollsEnd = absl::Seconds(1);
constexpr absl::Duration kActivitiesEnd = absl::Seconds(10);

std::string default_identity() {
  char host[256] = "";
  gethostname(host, sizeof host - 1);
  return absl::StrCat(getpid(), "@", host);
}

}  // namespace

// In the order of construction; destroyed in the opposite one.
struct WorkerProcess::Parts {
  explicit Parts(const WorkerOptions& options)
      : report(options.connection.address, clock),
        timing("skald-timing", clock),
        transport(options.connection, {clock, timing}) {}

  base::SystemClock clock;
  std::string identity;
  worker::ConnectionReport report;
  base::ThreadExecutor timing;
  worker::GrpcTransport transport;
  ScriptLog script_log;
  lua::Definitions definitions;
  std::unique_ptr<ScriptExecutor> scripts;
  std::unique_ptr<plugins::PluginHost> plugins;
  std::unique_ptr<PluginReloader> reloader;
  std::unique_ptr<worker::WorkflowWorker> workflows;
  std::unique_ptr<worker::ActivityWorker> activities;
};

WorkerProcess::WorkerProcess(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

WorkerProcess::~WorkerProcess() { stop(); }

absl::Status WorkerProcess::start_workflows(Parts& parts, const WorkerOptions& options) {
  if (options.workflows.empty()) return absl::OkStatus();
  if (auto status = parts.definitions.load(options.workflows); !status.ok()) return status;
  const auto all = parts.definitions.all_current();
  if (all.empty()) return absl::NotFoundError(absl::StrCat("there is no workflow (*.lua) in ", options.workflows));
  for (const auto& definition : all) {
    if (!definition->error.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("the workflow ", definition->name, " cannot run: ", definition->error));
    }
  }
  ScriptExecutorOptions scripts{.namespace_name = options.namespace_name, .handler = {}};
  scripts.threads = static_cast<int>(std::clamp(std::thread::hardware_concurrency(), 1u, 16u));
  scripts.handler.cached_runs = static_cast<size_t>(options.cached_workflows);
  parts.scripts =
      std::make_unique<ScriptExecutor>(parts.definitions, parts.script_log, parts.clock, std::move(scripts));
  const int sticky_polls = options.pollers > 1 ? options.pollers / 2 : 1;
  parts.workflows = std::make_unique<worker::WorkflowWorker>(
      parts.transport, *parts.scripts, worker::Timing{parts.clock, parts.timing},
      worker::WorkflowWorkerOptions{
          .namespace_name = options.namespace_name,
          .task_queue = options.task_queue,
          .sticky_queue = absl::StrCat(parts.identity, "-", base::make_system_random()->uuid()),
          .identity = parts.identity,
          .polls = std::max(1, options.pollers - sticky_polls),
          .sticky_polls = sticky_polls,
          .max_running = options.workflow_slots,
          .on_poll = [&report = parts.report](const absl::Status& status) { report.poll_ended(status); }});
  return absl::OkStatus();
}

absl::Status WorkerProcess::start_activities(Parts& parts, const WorkerOptions& options) {
  if (options.plugins.empty()) return absl::OkStatus();
  const auto data_path = plugin_data_path(options.plugin_store);
  if (!data_path.ok()) return data_path.status();
  auto isolation = isolation_options(nullptr, options.plugin_store, options.plugin_isolation);
  if (!isolation.ok()) return isolation.status();
  auto host = plugins::PluginHost::load({.folder = options.plugins,
                                         .data_path = *data_path,
                                         .config = {},
                                         .strict = true,
                                         .isolation = *std::move(isolation)});
  if (!host.ok()) return host.status();
  parts.plugins = *std::move(host);
  parts.reloader = std::make_unique<PluginReloader>(*parts.plugins);
  if (parts.plugins->activities().empty()) {
    return absl::NotFoundError(absl::StrCat("there is no plugin (*.so) in ", options.plugins));
  }
  parts.activities = std::make_unique<worker::ActivityWorker>(
      parts.transport, *parts.plugins, worker::Timing{parts.clock, parts.timing},
      worker::ActivityWorkerOptions{
          .namespace_name = options.namespace_name,
          .task_queue = options.task_queue,
          .identity = parts.identity,
          .polls = options.pollers,
          .max_running = options.activity_slots,
          .on_poll = [&report = parts.report](const absl::Status& status) { report.poll_ended(status); }});
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<WorkerProcess>> WorkerProcess::start(const WorkerOptions& options) {
  if (options.workflows.empty() && options.plugins.empty()) {
    return absl::InvalidArgumentError("there is nothing to run: give --workflows, --plugins or both");
  }
  auto parts = std::make_unique<Parts>(options);
  parts->identity = options.identity.empty() ? default_identity() : options.identity;
  if (auto status = start_workflows(*parts, options); !status.ok()) return status;
  if (auto status = start_activities(*parts, options); !status.ok()) return status;
  if (parts->workflows != nullptr) parts->workflows->start();
  if (parts->activities != nullptr) parts->activities->start();
  return std::unique_ptr<WorkerProcess>(new WorkerProcess(std::move(parts)));
}

bool WorkerProcess::connected(absl::Duration patience) {
  if (!parts_->transport.connected(patience)) return false;
  parts_->report.connected();
  return true;
}

std::string WorkerProcess::content() const {
  std::vector<std::string> kinds;
  const auto count = [&kinds](size_t number, const char* one, const char* many) {
    if (number > 0) kinds.push_back(absl::StrCat(number, " ", number == 1 ? one : many));
  };
  count(parts_->definitions.all_current().size(), "workflow", "workflows");
  count(parts_->plugins == nullptr ? 0 : parts_->plugins->activities().size(), "activity", "activities");
  return absl::StrJoin(kinds, " and ");
}

void WorkerProcess::reload_plugins() {
  if (parts_->reloader == nullptr) return spdlog::info("there is no plugin to reload: the worker was started without");
  parts_->reloader->request();
}

bool WorkerProcess::stop() {
  if (parts_->workflows != nullptr) parts_->workflows->begin_stop();
  if (parts_->activities != nullptr) parts_->activities->begin_stop();
  const absl::Time until = parts_->clock.now() + kPollsEnd;
  const auto left = [&] { return std::max(until - parts_->clock.now(), absl::ZeroDuration()); };
  if (parts_->workflows != nullptr) parts_->workflows->wait_polls(left());
  if (parts_->activities != nullptr) parts_->activities->wait_polls(left());
  parts_->transport.shutdown();
  if (parts_->plugins != nullptr) parts_->plugins->stop(kActivitiesEnd);
  parts_->reloader.reset();
  if (parts_->workflows != nullptr) parts_->workflows->stop();
  if (parts_->activities != nullptr) parts_->activities->stop();
  int running = 0;
  if (parts_->plugins != nullptr) {
    for (const auto& [name, meter] : parts_->plugins->plugin_meters()) running += meter.held;
  }
  return running == 0;
}

}  // namespace skald::server
