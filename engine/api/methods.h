#pragma once

#include <string>

#include "engine/api/call.h"
#include "engine/base/clock.h"
#include "engine/base/random.h"
#include "engine/core/limits.h"
#include "engine/namespaces/registry.h"
#include "engine/shard/engine.h"

namespace skald::api {

// What the methods work with. All references outlive the server.
struct Backend {
  shard::Engine& engine;
  namespaces::Registry& namespaces;
  const core::Limits& limits;
  const base::Clock& clock;
  std::string cluster_id;
  std::string version;
};

// The table of all methods that work. Each group stands in the file of its name.
Methods all_methods(const Backend& backend);

void add_system_methods(const Backend& backend, Methods& methods);     // system_methods.cc: system and cluster info, namespaces
void add_workflow_methods(const Backend& backend, Methods& methods);   // workflow_methods.cc: start, signal, query, cancel, list, ...
void add_worker_methods(const Backend& backend, Methods& methods);     // worker_methods.cc: polls and their answers
void add_history_methods(const Backend& backend, Methods& methods);    // history_methods.cc: history and polls whose answers hold it
void add_operator_methods(const Backend& backend, Methods& methods);   // operator_methods.cc: search attributes, clusters

}  // namespace skald::api
