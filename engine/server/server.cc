#include "engine/server/server.h"

#include <chrono>
#include <future>
#include <mutex>
#include <utility>
#include <vector>

#include <absl/strings/str_cat.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include "engine/api/grpc_server.h"
#include "engine/api/methods.h"
#include "engine/base/text.h"
#include "engine/base/thread_executor.h"
#include "engine/base/version.h"
#include "engine/matching/matching.h"
#include "engine/namespaces/registry.h"
#include "engine/server/in_process_transport.h"
#include "engine/server/plugin_reloader.h"
#include "engine/server/quarantine_file.h"
#include "engine/server/script_log.h"
#include "engine/shard/engine_impl.h"
#include "engine/upkeep/copy.h"
#include "engine/visibility/attributes.h"
#include "engine/worker/activity_worker.h"
#include "lua/embedded_worker.h"
#include "plugins/host/plugin_host.h"

namespace skald::server {
namespace {

constexpr absl::Duration kGrace = absl::Seconds(2);
constexpr absl::Duration kPluginGrace = absl::Seconds(10);  // for activities that run
constexpr std::chrono::seconds kSettling(5);                // for the last commits

// The id that tells this cluster from others, made at the first start.
absl::StatusOr<std::string> read_cluster_id(store::Store& store, base::Random& random) {
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
  std::unique_ptr<QuarantineFile> quarantine;  // null: it cannot be kept
  std::unique_ptr<namespaces::Registry> namespaces;
  std::string cluster_id;
  ScriptLog script_log;
  lua::Definitions definitions;
  std::unique_ptr<lua::SlowLane> slow_lane;
  std::vector<std::unique_ptr<lua::EmbeddedLuaWorker>> scripts;  // one an owner loop
  std::unique_ptr<shard::EngineImpl> engine;                     // destroyed after the loops have stopped
  std::unique_ptr<matching::Matching> matching;
  std::unique_ptr<base::ThreadExecutor> timing;
  std::vector<std::unique_ptr<base::ThreadExecutor>> loops;
  std::unique_ptr<plugins::PluginHost> plugins;
  std::unique_ptr<PluginReloader> reloader;
  std::unique_ptr<InProcessTransport> transport;
  std::unique_ptr<worker::ActivityWorker> activities;
  std::unique_ptr<api::Backend> backend;
  std::mutex health_mutex;  // guards the three below
  std::unique_ptr<api::GrpcServer> grpc;
  bool store_away = false;
  bool draining = false;
  int port = 0;

  // The start, step by step.
  absl::Status open_data(const ServerOptions& options);
  void open_quarantine(const ServerOptions& options);
  absl::Status load_workflows(const ServerOptions& options);
  absl::Status start_engine(const ServerOptions& options, std::function<void(const absl::Status&)> on_fatal);
  absl::Status start_plugins(const ServerOptions& options);
  absl::Status serve(const ServerOptions& options);
  void settle();
  void store_changed(const absl::Status& news, const std::function<void(const absl::Status&)>& on_fatal);
  shard::EmbeddedWorker* make_script_worker(const ServerOptions& options, size_t cache_bytes);
};

Server::Server(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

int Server::port() const { return parts_->port; }

void Server::reload_plugins() {
  if (parts_->reloader == nullptr) return spdlog::info("there is no plugin to reload: the server was started without");
  parts_->reloader->request();
}

shard::Engine& Server::engine() { return *parts_->engine; }

std::shared_ptr<const core::NamespaceSettings> Server::namespace_settings(const std::string& name) const {
  return parts_->namespaces->by_name(name);
}

absl::Status Server::Parts::open_data(const ServerOptions& options) {
  StoreOptions where = options.store;
  where.owners = options.owners;
  auto opened = open_store(where);
  if (!opened.ok()) return opened.status();
  store = *std::move(opened);
  open_quarantine(options);
  if (auto status = upkeep::check_whole(*store); !status.ok()) return status;
  auto registry = namespaces::Registry::open(*store, clock, *random);
  if (!registry.ok()) return registry.status();
  namespaces = *std::move(registry);
  auto id = read_cluster_id(*store, *random);
  if (!id.ok()) return id.status();
  cluster_id = *std::move(id);
  return absl::OkStatus();
}

// Beside the file of the store, or for a database in the folder for temporary files.
void Server::Parts::open_quarantine(const ServerOptions& options) {
  auto opened = QuarantineFile::open(quarantine_path(options.store), clock);
  if (!opened.ok()) return spdlog::warn("a workflow that ends the server will be tried at every start: {}", base::text(opened.status()));
  quarantine = *std::move(opened);
}

absl::Status Server::Parts::load_workflows(const ServerOptions& options) {
  if (options.workflows.empty()) return absl::OkStatus();
  if (auto status = definitions.load(options.workflows); !status.ok()) return status;
  for (const auto& definition : definitions.all_current()) {
    if (!definition->error.empty())
      spdlog::error("the workflow {} cannot run: {}", definition->name, definition->error);
  }
  slow_lane = std::make_unique<lua::SlowLane>();
  return absl::OkStatus();
}

// One owner loop's worker for Lua workflows; null if there are none.
shard::EmbeddedWorker* Server::Parts::make_script_worker(const ServerOptions& options, size_t cache_bytes) {
  if (options.workflows.empty()) return nullptr;
  lua::EmbeddedWorkerOptions worker{
      .task_queues = {options.task_queue}, .namespaces = {options.namespace_name}, .quarantine = quarantine.get(), .handler = {}};
  worker.handler.cached_bytes = cache_bytes;
  scripts.push_back(
      std::make_unique<lua::EmbeddedLuaWorker>(definitions, script_log, slow_lane.get(), std::move(worker)));
  return scripts.back().get();
}

absl::Status Server::Parts::start_engine(const ServerOptions& options,
                                         std::function<void(const absl::Status&)> on_fatal) {
  timing = std::make_unique<base::ThreadExecutor>("skald-timing", clock);
  matching = std::make_unique<matching::Matching>(clock, *timing);
  const std::string holder = absl::StrCat("skald pid ", getpid());
  store->watch([this, on_fatal](const absl::Status& news) { store_changed(news, on_fatal); });
  limits.state_error_bytes = static_cast<size_t>(options.state_limit_mb) << 20;
  // Each owner loop keeps runs, and its worker their scripts.
  shard::OwnerLimits owner_limits;
  owner_limits.cache_bytes = (static_cast<size_t>(options.cache_mb) << 20) / static_cast<size_t>(2 * options.owners);
  std::vector<shard::OwnerLoop> owners;
  for (int i = 0; i < options.owners; ++i) {
    const int first = store::kSlots * i / options.owners;
    const int last = store::kSlots * (i + 1) / options.owners;
    auto lease = store->acquire(first, last, holder);
    if (!lease.ok()) return lease.status();
    loops.push_back(std::make_unique<base::ThreadExecutor>(absl::StrCat("skald-owner-", i), clock));
    owners.push_back(
        {*loops.back(), *lease, base::make_system_random(), make_script_worker(options, owner_limits.cache_bytes)});
  }
  engine = std::make_unique<shard::EngineImpl>(
      shard::EngineOptions{.clock = clock,
                           .store = *store,
                           .matching = *matching,
                           .namespaces = *namespaces,
                           .limits = limits,
                           .is_of_type = visibility::is_of_type,
                           .quarantine = quarantine.get()},
      owner_limits,
      std::move(owners),
      [](const auto& attributes, const core::NamespaceSettings& ns) {
        return visibility::decode_attributes(attributes, ns.search_attributes);
      },
      std::move(on_fatal));
  engine->start();
  return absl::OkStatus();
}

// Waits until the store has what only memory knew. A store that is away is not waited for without an end.
void Server::Parts::settle() {
  auto settled = std::make_shared<std::promise<void>>();
  std::future<void> waiting = settled->get_future();
  engine->settle([settled] { settled->set_value(); });
  if (waiting.wait_for(kSettling) != std::future_status::ready)
    spdlog::warn("the store has not taken the last commits: starts and heartbeats of activities may be forgotten");
}

// What a store has to tell is for the log and for health checks.
void Server::Parts::store_changed(const absl::Status& news, const std::function<void(const absl::Status&)>& on_fatal) {
  if (absl::IsAborted(news)) return on_fatal(news);
  if (news.ok()) {
    spdlog::info("the database is there again");
  } else {
    spdlog::error("the database is away, and calls are answered with UNAVAILABLE until it is back: {}",
                  base::text(news));
  }
  const std::lock_guard lock(health_mutex);
  store_away = !news.ok();
  if (!draining && grpc != nullptr) grpc->set_serving(!store_away);
}

absl::Status Server::Parts::start_plugins(const ServerOptions& options) {
  if (options.plugins.empty()) return absl::OkStatus();
  const auto data_path = options.plugin_store.store.empty() ? plugin_data_path(options.store, ".plugins")
                                                            : plugin_data_path(options.plugin_store);
  if (!data_path.ok()) return data_path.status();
  // A database that is away is an error, as the engine's own is: orders would be taken that nobody works on.
  if (auto status = reach_database(options.plugin_store.store.empty() ? options.store : options.plugin_store);
      !status.ok())
    return status;
  auto isolation =
      isolation_options(&options.store, options.plugin_store.store.empty() ? options.store : options.plugin_store,
                        options.plugin_isolation);
  if (!isolation.ok()) return isolation.status();
  auto host = plugins::PluginHost::load(
      {.folder = options.plugins, .data_path = *data_path, .isolation = *std::move(isolation)});
  if (!host.ok()) return host.status();
  plugins = *std::move(host);
  for (const std::string& problem : plugins->problems()) spdlog::error("{}", problem);
  reloader = std::make_unique<PluginReloader>(*plugins);
  transport = std::make_unique<InProcessTransport>(*engine, *namespaces, clock, *timing);
  activities = std::make_unique<worker::ActivityWorker>(
      *transport, *plugins, worker::Timing{clock, *timing},
      worker::ActivityWorkerOptions{
          .namespace_name = options.namespace_name, .task_queue = options.task_queue, .identity = "skald-plugins"});
  activities->start();
  return absl::OkStatus();
}

absl::Status Server::Parts::serve(const ServerOptions& options) {
  backend.reset(new api::Backend{*engine, *namespaces, limits, clock, cluster_id, base::kVersion});
  auto starting = std::make_unique<api::GrpcServer>(api::all_methods(*backend));
  auto bound = starting->start(options.grpc_address);
  if (!bound.ok()) return bound.status();
  port = *bound;
  const std::lock_guard lock(health_mutex);
  grpc = std::move(starting);
  if (store_away) grpc->set_serving(false);
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Server>> Server::start(const ServerOptions& options,
                                                      std::function<void(const absl::Status&)> on_fatal) {
  std::unique_ptr<Server> server(new Server(std::make_unique<Parts>()));
  Parts& parts = *server->parts_;
  if (auto status = parts.open_data(options); !status.ok()) return status;
  if (auto status = parts.load_workflows(options); !status.ok()) return status;
  if (auto status = parts.start_engine(options, std::move(on_fatal)); !status.ok()) return status;
  if (auto status = parts.start_plugins(options); !status.ok()) return status;
  if (auto status = parts.serve(options); !status.ok()) return status;
  return server;
}

// Whatever of it was built.
Server::~Server() {
  Parts& parts = *parts_;
  {
    const std::lock_guard lock(parts.health_mutex);
    parts.draining = true;
    if (parts.grpc != nullptr) parts.grpc->drain();
  }
  if (parts.activities != nullptr) {
    parts.activities->begin_stop();
    parts.transport->shutdown();
    parts.plugins->stop(kPluginGrace);
    parts.reloader.reset();
    parts.activities->stop();
  }
  if (parts.engine != nullptr) parts.engine->drain();
  if (parts.matching != nullptr) parts.matching->stop();
  if (parts.grpc != nullptr) parts.grpc->stop(kGrace);
  if (parts.engine != nullptr) parts.settle();
  if (parts.slow_lane != nullptr) parts.slow_lane->stop();  // the loops may still give it scripts
  for (auto& loop : parts.loops) loop->stop();
  if (parts.timing != nullptr) parts.timing->stop();
  parts.grpc.reset();
  parts.store.reset();
}

}  // namespace skald::server
