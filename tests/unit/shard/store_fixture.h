#pragma once

#include <memory>
#include <string>

#include "temporal/api/enums/v1/event_type.pb.h"
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/base/simulated.h"
#include "engine/shard/run_cache.h"
#include "engine/shard/wire_history.h"
#include "engine/store/memory/memory_store.h"
#include "tests/unit/shard/watched_store.h"

namespace skald::shard {

namespace enums = temporal::api::enums::v1;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// Virtual time, one loop, and a store in memory that is watched.
class StoreTest : public ::testing::Test {
 protected:
  // A run in memory with this many events, of which the store has none.
  CachedRun& new_run(RunCache& cache, const std::string& workflow_id, const std::string& run_id, int64_t events = 2) {
    core::state::RunState state;
    state.set_namespace_id("ns");
    state.set_workflow_id(workflow_id);
    state.set_run_id(run_id);
    state.set_status(enums::WORKFLOW_EXECUTION_STATUS_RUNNING);
    state.set_next_event_id(1);
    CachedRun& run = cache.add(cache.entry({"ns", workflow_id}), run_id, std::move(state));
    add_events(run, events);
    cache.recount(run);
    return run;
  }

  static void add_events(CachedRun& run, int64_t events) {
    for (; events > 0; --events) {
      temporal::api::history::v1::HistoryEvent event;
      event.set_event_id(run.state.next_event_id());
      event.mutable_marker_recorded_event_attributes()->set_marker_name("a marker");
      append_event(run.tail, event);
      run.state.set_next_event_id(event.event_id() + 1);
    }
  }

  // The ids of the events in a wire history, as "1 2 3".
  static std::string ids(const std::string& history) {
    temporal::api::history::v1::History parsed;
    EXPECT_TRUE(parsed.ParseFromString(history));
    std::string text;
    for (const auto& event : parsed.events()) text += (text.empty() ? "" : " ") + std::to_string(event.event_id());
    return text;
  }

  static RunCache::Hooks no_hooks() {
    return {.leaving = [](CachedRun&) {}, .write_down = [](WorkflowEntry&, CachedRun&) {}};
  }

  absl::Time now() const { return world_.clock().now(); }

  base::SimulatedWorld world_;
  std::shared_ptr<store::MemoryDisk> disk_ = std::make_shared<store::MemoryDisk>();
  std::unique_ptr<base::Executor> disk_executor_ = world_.make_executor();
  std::unique_ptr<base::Executor> executor_ = world_.make_executor();
  store::MemoryStore memory_{disk_, *disk_executor_, world_.clock(), base::make_seeded_random(1)};
  WatchedStore store_{memory_};
  store::Lease lease_ = *memory_.acquire(0, store::kSlots, "a test");
};

}  // namespace skald::shard
