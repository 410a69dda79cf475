#pragma once

#include <functional>
#include <memory>
#include <string>

#include <absl/status/statusor.h>

#include "engine/server/open_store.h"

namespace skald::core {
struct NamespaceSettings;
}
namespace skald::shard {
class Engine;
}

namespace skald::server {

struct ServerOptions {
  StoreOptions store;
  StoreOptions plugin_store{.store = ""};  // of the plugins' effects; empty = beside the engine's own state
  PluginIsolation plugin_isolation;
  std::string grpc_address = "127.0.0.1:7233";
  int owners = 2;                          // owner loops
  int cache_mb = 96;                       // for runs kept in memory, half of it for their scripts
  int state_limit_mb = 8;                  // of an open run; one that has more is terminated
  std::string workflows;                   // folder of *.lua; empty = none
  std::string plugins;                     // folder of *.so; empty = none
  std::string namespace_name = "default";  // whose tasks workflows and plugins run
  std::string task_queue = "skald";        // and on which queue
};

// A whole server in this process: store, engine, API. Built and torn down in order; the only place that names concrete
// classes.
class Server {
 public:
  // Opens the store, brings back what was under way and serves. Errors are sentences for the person who started it.
  // `on_fatal` is called, from any thread, when the server cannot go on.
  static absl::StatusOr<std::unique_ptr<Server>> start(const ServerOptions& options,
                                                       std::function<void(const absl::Status&)> on_fatal);
  // Ends polls, lets commits finish, closes the store.
  ~Server();

  int port() const;

  // Loads what is new in the plugins' folder, reloads what has changed and unloads what is gone. Does not wait for it;
  // the log says what happened.
  void reload_plugins();

  // For callers in this process, who need no wire. Valid as long as the server.
  shard::Engine& engine();
  // The settings of a namespace; null if there is none of this name.
  std::shared_ptr<const core::NamespaceSettings> namespace_settings(const std::string& name) const;

 private:
  struct Parts;
  explicit Server(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace skald::server
