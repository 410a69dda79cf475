#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/base/simulated.h"
#include "engine/shard/engine.h"
#include "engine/store/memory/memory_store.h"
#include "lua/definitions.h"
#include "lua/log_sink.h"
#include "tests/sim/auditor.h"
#include "tests/sim/defective_store.h"

namespace skald::sim {

struct NodeOptions {
  store::FaultOptions faults;
  int owners = 2;
  NodeDefect defect = NodeDefect::kNone;
  bool small_queues = false;
};

// One life of a server process, core to store, in simulated time. The disk outlives it.
class Node {
 public:
  // All references outlive the node. Throws std::runtime_error if it does not start.
  Node(base::SimulatedWorld& world, std::shared_ptr<store::MemoryDisk> disk, const lua::Definitions& definitions,
       lua::LogSink& log, Auditor& auditor, const NodeOptions& options, uint64_t seed);
  // kill -9: nothing that was under way is answered.
  ~Node();
  // An orderly stop: who waits is answered, and what is under way becomes durable. Nobody may ask it any more.
  void stop();
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  shard::Engine& engine();
  shard::Call call() const;
  // Why the process ended itself; empty if it lives.
  const std::string& fatal() const { return fatal_; }
  void stop_faults();

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
  std::string fatal_;
  base::SimulatedWorld& world_;
};

inline constexpr char kTaskQueue[] = "orders";
inline constexpr char kNamespace[] = "default";

}  // namespace skald::sim
