#pragma once

#include <memory>
#include <string>
#include <vector>

#include <absl/status/statusor.h>

#include "engine/server/open_store.h"
#include "engine/worker/grpc_transport.h"

namespace skald::server {

struct WorkerOptions {
  worker::GrpcTransportOptions connection;
  std::string namespace_name = "default";
  std::string task_queue = "skald";
  std::string workflows;                                             // folder of *.lua; empty = none
  std::string plugins;                                               // folder of *.so; empty = none
  StoreOptions plugin_store{.store = "sqlite:data/worker.plugins"};  // of the plugins' effects
  PluginIsolation plugin_isolation;
  std::string identity;                                              // empty = of this process and machine
  int workflow_slots = 100;                                          // tasks worked on at a time
  int activity_slots = 1000;
  int pollers = 4;                // polls open at a time, for workflows and for activities
  int cached_workflows = 10'000;  // whose state is kept from one task to the next
};

// A worker in this process: Lua workflows and plugins for any Temporal-compatible server. Built and torn down in order.
class WorkerProcess {
 public:
  // Loads what there is to run and begins to poll, whether the server can be reached or not. Errors are sentences for
  // the person who started it.
  static absl::StatusOr<std::unique_ptr<WorkerProcess>> start(const WorkerOptions& options);
  ~WorkerProcess();  // stop()

  // Whether the server is connected now, or becomes so within `patience`.
  bool connected(absl::Duration patience);
  // "2 workflows and 12 activities".
  std::string content() const;
  // Loads what is new in the plugins' folder, reloads what has changed and unloads what is gone. Does not wait for it;
  // the log says what happened.
  void reload_plugins();
  // Takes no more tasks, and waits for those that run, up to a grace time; activities that do not end in it are
  // reported to the server as failed. Whether all have ended: if not, code of plugins still runs, and the process must
  // end without destroying anything.
  bool stop();

 private:
  struct Parts;
  explicit WorkerProcess(std::unique_ptr<Parts> parts);
  static absl::Status start_workflows(Parts& parts, const WorkerOptions& options);
  static absl::Status start_activities(Parts& parts, const WorkerOptions& options);
  std::unique_ptr<Parts> parts_;
};

}  // namespace skald::server
