#pragma once

#include <functional>
#include <list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "engine/shard/cached_run.h"

namespace skald::shard {

// The runs in an owner's memory, by workflow, and the bytes they take. Workflows that were not used for long leave, when
// nothing but memory holds them: no request, no reader, no change that the store has not.
class RunCache {
 public:
  struct Options {
    size_t bytes = 0;       // of all runs together
    size_t tail_bytes = 0;  // of one run's history
  };
  struct Hooks {
    // The run is about to leave: whoever holds a pointer to it lets go.
    std::function<void(CachedRun&)> leaving;
    // Only memory knows something of the run, which could leave otherwise: it is to be made durable.
    std::function<void(WorkflowEntry&, CachedRun&)> write_down;
  };

  RunCache(Options options, Hooks hooks);

  // The workflow's entry, made if there is none; the most recently used one from now on.
  WorkflowEntry& entry(const store::WorkflowKey& key);
  // Null if the workflow is not in memory. Does not count as a use.
  WorkflowEntry* find(const store::WorkflowKey& key);
  // Whether the run is in memory, or being looked for.
  bool holds(const store::RunKey& key);

  // A run with this state comes into memory. It is counted with its first recount.
  CachedRun& add(WorkflowEntry& entry, const std::string& run_id, core::state::RunState state);
  // Takes one run, or all of a workflow, out of memory; without a word to the hooks.
  void remove(WorkflowEntry& entry, const std::string& run_id);
  void remove_all(WorkflowEntry& entry);

  // A run of a long chain that is closed, durable and not the last one leaves at once: its workflow is in use for as long as
  // the chain goes on.
  void retire(CachedRun& run);

  // Counts the run's bytes anew, and lets go of a long tail that is in the store.
  void recount(CachedRun& run);
  // Lets go of what was not used for long, if memory is full; a few steps a call.
  void shrink();
  size_t bytes() const { return bytes_; }

  // All requests that wait, of all workflows: for the end of the owner.
  std::vector<WorkflowEntry::Waiting> take_waiting();

 private:
  void forget(WorkflowEntry& entry);

  const Options options_;
  Hooks hooks_;
  absl::flat_hash_map<std::pair<std::string, std::string>, std::unique_ptr<WorkflowEntry>> entries_;
  std::list<WorkflowEntry*> uses_;  // most recently used first
  size_t bytes_ = 0;
  uint64_t next_serial_ = 1;
};

}  // namespace skald::shard
