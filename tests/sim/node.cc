#include "tests/sim/node.h"

#include <stdexcept>
#include <utility>

#include "engine/matching/matching.h"
#include "engine/namespaces/registry.h"
#include "engine/shard/engine_impl.h"
#include "engine/visibility/attributes.h"
#include "lua/embedded_worker.h"
#include "tests/sim/witness_store.h"
#include "tests/sim/witness_worker.h"

namespace skald::sim {
namespace {

// What an orderly stop gives the loops.
constexpr absl::Duration kGrace = absl::Milliseconds(100);

constexpr size_t kSmallQueue = 4;

template <typename T>
T value_or_throw(absl::StatusOr<T> value) {
  if (!value.ok()) throw std::runtime_error(value.status().ToString());
  return *std::move(value);
}

}  // namespace

struct Node::Parts {
  Parts(base::SimulatedWorld& world, std::shared_ptr<store::MemoryDisk> disk, Auditor& auditor,
        const NodeOptions& options, uint64_t seed)
      : random(base::make_seeded_random(seed)),
        disk_executor(world.make_executor()),
        memory(std::move(disk), *disk_executor, world.clock(), base::make_seeded_random(random->next()),
               options.faults),
        defective(memory, options.defect, *disk_executor, world.clock()),
        store(defective, auditor, options.small_queues),
        timing(world.make_executor()),
        matching(world.clock(), *timing, queues(options)) {}

  static matching::MatchingOptions queues(const NodeOptions& options) {
    matching::MatchingOptions queues;
    if (options.small_queues) queues.backlog_per_queue = kSmallQueue;
    return queues;
  }


  std::unique_ptr<base::Random> random;
  std::unique_ptr<base::Executor> disk_executor;
  store::MemoryStore memory;
  DefectiveStore defective;
  WitnessStore store;
  std::unique_ptr<namespaces::Registry> namespaces;
  std::unique_ptr<base::Executor> timing;
  matching::Matching matching;
  std::vector<std::unique_ptr<WitnessWorker>> scripts;
  std::unique_ptr<shard::EngineImpl> engine;
  std::vector<std::unique_ptr<base::Executor>> loops;
};

Node::Node(base::SimulatedWorld& world, std::shared_ptr<store::MemoryDisk> disk, const lua::Definitions& definitions,
           lua::LogSink& log, Auditor& auditor, const NodeOptions& options, uint64_t seed)
    : parts_(std::make_unique<Parts>(world, std::move(disk), auditor, options, seed)), world_(world) {
  Parts& parts = *parts_;
  parts.memory.on_fault([&auditor](const absl::Status& fault) { auditor.injected(fault); });
  parts.namespaces = value_or_throw(namespaces::Registry::open(parts.store, world.clock(), *parts.random));
  std::vector<shard::OwnerLoop> owners;
  for (int i = 0; i < options.owners; ++i) {
    const store::Lease lease = value_or_throw(parts.store.acquire(
        store::kSlots * i / options.owners, store::kSlots * (i + 1) / options.owners, "a simulated process"));
    parts.loops.push_back(world.make_executor());
    auto scripts = std::make_unique<lua::EmbeddedLuaWorker>(
        definitions, log, nullptr,
        lua::EmbeddedWorkerOptions{.task_queues = {kTaskQueue}, .namespaces = {kNamespace}, .handler = {}});
    parts.scripts.push_back(std::make_unique<WitnessWorker>(
        std::move(scripts), options.defect == NodeDefect::kForgetsScripts, auditor, [&store = parts.store](const std::string& run) { store.left_memory(run); }));
    owners.push_back(
        {*parts.loops.back(), lease, base::make_seeded_random(parts.random->next()), parts.scripts.back().get()});
  }
  shard::OwnerLimits limits;
  limits.cache_bytes = 64 << 10;  // small: runs leave memory and come back
  limits.batch_rows = 6;          // small: what is told together must not be split over two batches
  parts.engine = std::make_unique<shard::EngineImpl>(
      shard::EngineOptions{world.clock(), parts.store, parts.matching, *parts.namespaces, core::Limits(),
                           visibility::is_of_type},
      limits, std::move(owners),
      [](const auto& attributes, const core::NamespaceSettings& ns) {
        return visibility::decode_attributes(attributes, ns.search_attributes);
      },
      [this](const absl::Status& status) { fatal_ = status.ToString(); });
  parts.engine->start();
}

void Node::stop() {
  parts_->engine->drain();
  parts_->matching.stop();
  world_.run_for(kGrace);
  parts_->engine->settle([] {});
  world_.run_for(kGrace);
}

Node::~Node() {
  Parts& parts = *parts_;
  parts.memory.crash();
  // What the loops still hold is forgotten, not run.
  parts.loops.clear();
  parts.disk_executor.reset();
  parts.matching.stop();
  parts.engine.reset();
}

shard::Engine& Node::engine() { return *parts_->engine; }

shard::Call Node::call() const { return {parts_->namespaces->by_name(kNamespace)}; }

void Node::stop_faults() {
  parts_->memory.set_faults({.max_commit_delay = absl::Milliseconds(2), .max_read_delay = absl::Milliseconds(1)});
}

}  // namespace skald::sim
