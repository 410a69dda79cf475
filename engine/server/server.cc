#include "engine/server/server.h"

#include <utility>
#include <vector>

#include <absl/strings/str_cat.h>
#include <absl/strings/strip.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include "engine/api/grpc_server.h"
#include "engine/api/methods.h"
#include "engine/base/thread_executor.h"
#include "engine/matching/matching.h"
#include "engine/namespaces/registry.h"
#include "engine/server/in_process_transport.h"
#include "engine/server/script_log.h"
#include "engine/shard/engine_impl.h"
#include "engine/store/sqlite/sqlite_store.h"
#include "engine/visibility/attributes.h"
#include "engine/worker/activity_worker.h"
#include "lua/embedded_worker.h"
#include "plugins/host/plugin_host.h"

namespace skald::server {
namespace {

constexpr char kVersion[] = "0.1.0";
constexpr absl::Duration kGrace = absl::Seconds(2);
constexpr absl::Duration kPluginGrace = absl::Seconds(10);  // for activities that run

absl::StatusOr<std::unique_ptr<store::Store>> open_store(const std::string& text) {
  absl::string_view path = text;
  if (!absl::ConsumePrefix(&path, "sqlite:")) {
    return absl::InvalidArgumentError(absl::StrCat("--store ", text, ": only sqlite:FILE is implemented"));
  }
  if (path.empty()) return absl::InvalidArgumentError("--store sqlite: names no file; write sqlite:FILE");
  return store::open_sqlite({.path = std::string(path)});
}

// The id that tells this cluster from others, made at the first start.
absl::StatusOr<std::string> cluster_id(store::Store& store, base::Random& random) {
  auto known = store.get_setting("cluster_id");
  if (!known.ok()) return known.status();
  if (known->has_value()) return **known;
  std::string id = random.uuid();
  if (auto status = store.put_setting("cluster_id", id); !status.ok()) return status;
  return id;
}

}  // namespace

// In the order of construction; destroyed in the opposite one.
struct Server::Parts {
  base::SystemClock clock;
  std::unique_ptr<base::Random> random = base::make_system_random();
  core::Limits limits;
  std::unique_ptr<store::Store> store;
  std::unique_ptr<namespaces::Registry> namespaces;
  ScriptLog script_log;
  lua::Definitions definitions;
  std::unique_ptr<lua::SlowLane> slow_lane;
  std::vector<std::unique_ptr<lua::EmbeddedLuaWorker>> scripts;  // one an owner loop
  std::vector<std::unique_ptr<shard::EngineImpl>> engine;        // one; destroyed after the loops have stopped
  std::unique_ptr<matching::Matching> matching;
  std::unique_ptr<base::ThreadExecutor> timing;
  std::vector<std::unique_ptr<base::ThreadExecutor>> loops;
  std::unique_ptr<plugins::PluginHost> plugins;
  std::unique_ptr<InProcessTransport> transport;
  std::unique_ptr<worker::ActivityWorker> activities;
  std::unique_ptr<api::Backend> backend;
  std::unique_ptr<api::GrpcServer> grpc;
  int port = 0;
};

Server::Server(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

int Server::port() const { return parts_->port; }

shard::Engine& Server::engine() { return *parts_->engine.back(); }

std::shared_ptr<const core::NamespaceSettings> Server::namespace_settings(const std::string& name) const {
  return parts_->namespaces->by_name(name);
}

absl::Status Server::start_plugins(const ServerOptions& options) {
  if (options.plugins.empty()) return absl::OkStatus();
  const std::string data_path = options.store.substr(options.store.find(':') + 1) + ".plugins";
  auto host = plugins::PluginHost::load({.folder = options.plugins, .data_path = data_path});
  if (!host.ok()) return host.status();
  parts_->plugins = *std::move(host);
  for (const std::string& problem : parts_->plugins->problems()) spdlog::warn("{}", problem);
  parts_->transport =
      std::make_unique<InProcessTransport>(*parts_->engine.back(), *parts_->namespaces, parts_->clock, *parts_->timing);
  parts_->activities = std::make_unique<worker::ActivityWorker>(
      *parts_->transport, *parts_->plugins, worker::Timing{parts_->clock, *parts_->timing},
      worker::ActivityWorkerOptions{
          .namespace_name = options.namespace_name, .task_queue = options.task_queue, .identity = "skald-plugins"});
  parts_->activities->start();
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Server>> Server::start(const ServerOptions& options,
                                                      std::function<void(const absl::Status&)> on_fatal) {
  auto parts = std::make_unique<Parts>();
  auto store = open_store(options.store);
  if (!store.ok()) return store.status();
  parts->store = *std::move(store);
  auto registry = namespaces::Registry::open(*parts->store, parts->clock, *parts->random);
  if (!registry.ok()) return registry.status();
  parts->namespaces = *std::move(registry);
  auto id = cluster_id(*parts->store, *parts->random);
  if (!id.ok()) return id.status();

  if (!options.workflows.empty()) {
    if (auto status = parts->definitions.load(options.workflows); !status.ok()) return status;
    for (const auto& definition : parts->definitions.all_current()) {
      if (!definition->error.empty())
        spdlog::error("the workflow {} cannot run: {}", definition->name, definition->error);
    }
    parts->slow_lane = std::make_unique<lua::SlowLane>();
  }
  parts->timing = std::make_unique<base::ThreadExecutor>("skald-timing", parts->clock);
  parts->matching = std::make_unique<matching::Matching>(parts->clock, *parts->timing);
  const std::string holder = absl::StrCat("skald pid ", getpid());
  // Each owner loop keeps runs, and its worker their scripts.
  const size_t cache_bytes = (static_cast<size_t>(options.cache_mb) << 20) / static_cast<size_t>(2 * options.owners);
  std::vector<shard::OwnerLoop> owners;
  for (int i = 0; i < options.owners; ++i) {
    const int first = store::kSlots * i / options.owners;
    const int last = store::kSlots * (i + 1) / options.owners;
    auto lease = parts->store->acquire(first, last, holder);
    if (!lease.ok()) return lease.status();
    parts->loops.push_back(std::make_unique<base::ThreadExecutor>(absl::StrCat("skald-owner-", i), parts->clock));
    shard::EmbeddedWorker* embedded = nullptr;
    if (!options.workflows.empty()) {
      lua::EmbeddedWorkerOptions scripts{
          .task_queues = {options.task_queue}, .namespaces = {options.namespace_name}, .handler = {}};
      scripts.handler.cached_bytes = cache_bytes;
      parts->scripts.push_back(std::make_unique<lua::EmbeddedLuaWorker>(parts->definitions, parts->script_log,
                                                                        parts->slow_lane.get(), std::move(scripts)));
      embedded = parts->scripts.back().get();
    }
    owners.push_back({*parts->loops.back(), *lease, base::make_system_random(), embedded});
  }
  shard::OwnerLimits limits;
  limits.cache_bytes = cache_bytes;
  parts->engine.push_back(std::make_unique<shard::EngineImpl>(
      shard::EngineOptions{parts->clock, *parts->store, *parts->matching, *parts->namespaces, parts->limits}, limits,
      std::move(owners),
      [](const auto& attributes, const core::NamespaceSettings& ns) {
        return visibility::decode_attributes(attributes, ns.search_attributes);
      },
      std::move(on_fatal)));
  shard::EngineImpl& engine = *parts->engine.back();
  parts->backend.reset(
      new api::Backend{engine, *parts->namespaces, parts->limits, parts->clock, *std::move(id), kVersion});
  parts->grpc = std::make_unique<api::GrpcServer>(api::all_methods(*parts->backend));
  engine.start();
  auto port = parts->grpc->start(options.grpc_address);
  std::unique_ptr<Server> server(new Server(std::move(parts)));
  if (auto status = server->start_plugins(options); !status.ok()) return status;
  if (!port.ok()) return port.status();
  server->parts_->port = *port;
  return server;
}

Server::~Server() {
  if (parts_ == nullptr) return;
  parts_->grpc->drain();
  if (parts_->activities != nullptr) {
    parts_->activities->begin_stop();
    parts_->transport->shutdown();
    parts_->plugins->stop(kPluginGrace);
    parts_->activities->stop();
  }
  parts_->matching->stop();
  parts_->grpc->stop(kGrace);
  parts_->slow_lane.reset();
  for (auto& loop : parts_->loops) loop->stop();
  parts_->timing->stop();
  parts_->grpc.reset();
  parts_->store.reset();
}

}  // namespace skald::server
