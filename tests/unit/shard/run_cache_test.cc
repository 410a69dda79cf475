#include "engine/shard/run_cache.h"

#include "tests/unit/shard/store_fixture.h"

namespace skald::shard {
namespace {

class RunCacheTest : public StoreTest {
 protected:
  RunCache& cache(size_t bytes, size_t tail_bytes = 1 << 20) {
    cache_ = std::make_unique<RunCache>(
        RunCache::Options{.bytes = bytes, .tail_bytes = tail_bytes},
        RunCache::Hooks{.leaving = [this](CachedRun& run) { left_.push_back(run.key.run_id); },
                        .write_down = [this](WorkflowEntry&, CachedRun& run) { written_down_.push_back(run.key.run_id); }});
    return *cache_;
  }

  std::unique_ptr<RunCache> cache_;
  std::vector<std::string> left_;
  std::vector<std::string> written_down_;
};

TEST_F(RunCacheTest, AWorkflowHasOneEntry) {
  RunCache& runs = cache(1 << 20);
  EXPECT_EQ(runs.find({"ns", "order"}), nullptr);
  WorkflowEntry& entry = runs.entry({"ns", "order"});
  EXPECT_EQ(entry.key.workflow_id, "order");
  EXPECT_EQ(&runs.entry({"ns", "order"}), &entry);
  EXPECT_EQ(runs.find({"ns", "order"}), &entry);
  EXPECT_NE(&runs.entry({"another", "order"}), &entry);
}

TEST_F(RunCacheTest, ARunThatComesInIsFoundAndNumbered) {
  RunCache& runs = cache(1 << 20);
  CachedRun& first = new_run(runs, "order", "r1");
  CachedRun& second = new_run(runs, "order", "r2");
  EXPECT_EQ(first.key, (store::RunKey{"ns", "order", "r1"}));
  EXPECT_LT(first.serial, second.serial);
  EXPECT_TRUE(runs.holds(first.key));
  EXPECT_FALSE(runs.holds({"ns", "order", "r3"}));
  EXPECT_FALSE(runs.holds({"ns", "another", "r1"}));
  runs.entry({"ns", "order"}).runs["r3"] = nullptr;  // being looked for
  EXPECT_TRUE(runs.holds({"ns", "order", "r3"}));
}

TEST_F(RunCacheTest, CountsTheBytesOfWhatIsInMemory) {
  RunCache& runs = cache(1 << 20);
  WorkflowEntry& entry = runs.entry({"ns", "order"});
  const size_t empty = runs.bytes();
  EXPECT_GE(empty, sizeof(WorkflowEntry));
  CachedRun& run = new_run(runs, "order", "r1");
  EXPECT_EQ(runs.bytes(), empty + run.bytes);
  const size_t before = run.bytes;
  run.state.mutable_input()->add_payloads()->set_data(std::string(10'000, 'x'));
  runs.recount(run);
  EXPECT_GE(run.bytes, before + 10'000);
  EXPECT_EQ(runs.bytes(), empty + run.bytes);
  new_run(runs, "order", "r1");  // in the place of the other
  EXPECT_EQ(runs.bytes(), empty + before);
  new_run(runs, "order", "r2");
  runs.remove(entry, "r1");
  EXPECT_EQ(runs.bytes(), empty + before);
  runs.remove_all(entry);
  EXPECT_EQ(runs.bytes(), empty);
  EXPECT_THAT(left_, IsEmpty());
}

TEST_F(RunCacheTest, LetsGoOfTheTailOnceTheStoreHasIt) {
  RunCache& runs = cache(1 << 20, /*tail_bytes=*/10);
  CachedRun& run = new_run(runs, "order", "r1", 5);
  EXPECT_EQ(run.tail_first, 1);
  run.saved_last_event_id = 5;
  run.batch = 3;  // on its way
  runs.recount(run);
  EXPECT_EQ(run.tail_first, 1);
  run.batch = 0;
  runs.recount(run);
  EXPECT_EQ(run.tail_first, 6);
  EXPECT_THAT(run.tail, IsEmpty());
  add_events(run, 1);
  runs.recount(run);  // not saved
  EXPECT_EQ(run.tail_first, 6);
  EXPECT_EQ(ids(run.tail), "6");
}

TEST_F(RunCacheTest, KeepsATailWithinItsBound) {
  RunCache& runs = cache(1 << 20);
  CachedRun& run = new_run(runs, "order", "r1", 5);
  run.saved_last_event_id = 5;
  runs.recount(run);
  EXPECT_EQ(run.tail_first, 1);
}

TEST_F(RunCacheTest, WhatWasNotUsedForLongLeavesFirst) {
  RunCache& runs = cache(1);
  for (const char* id : {"a", "b", "c"}) new_run(runs, id, id);
  runs.entry({"ns", "a"});  // used again
  runs.find({"ns", "b"});   // that is no use
  runs.shrink();
  EXPECT_THAT(left_, ElementsAre("b", "c"));
  EXPECT_NE(runs.find({"ns", "a"}), nullptr);  // the last one stays: it is in use
  EXPECT_EQ(runs.find({"ns", "b"}), nullptr);
}

TEST_F(RunCacheTest, NothingLeavesWhileThereIsRoom) {
  RunCache& runs = cache(1 << 20);
  for (const char* id : {"a", "b", "c"}) new_run(runs, id, id);
  runs.shrink();
  EXPECT_THAT(left_, IsEmpty());
}

TEST_F(RunCacheTest, LetsGoOfAFewAtATime) {
  RunCache& runs = cache(1);
  for (int i = 0; i < 10; ++i) new_run(runs, std::to_string(i), std::to_string(i));
  runs.shrink();
  EXPECT_THAT(left_, ElementsAre("0", "1", "2", "3"));
}

TEST_F(RunCacheTest, GivesBackAllBytesOfWhatLeaves) {
  RunCache& runs = cache(1);
  new_run(runs, "kept", "kept");
  const size_t bytes = runs.bytes();
  new_run(runs, "leaving", "leaving");
  runs.entry({"ns", "kept"});
  runs.shrink();
  EXPECT_THAT(left_, ElementsAre("leaving"));
  EXPECT_EQ(runs.bytes(), bytes);
}

TEST_F(RunCacheTest, WhatMemoryAloneHoldsStays) {
  const std::vector<std::pair<std::string, std::function<void(WorkflowEntry&, CachedRun&)>>> cases = {
      {"busy", [](WorkflowEntry& entry, CachedRun&) { entry.busy = true; }},
      {"loading", [](WorkflowEntry& entry, CachedRun&) { entry.loading = true; }},
      {"requests", [](WorkflowEntry& entry, CachedRun&) { entry.waiting.emplace_back(); }},
      {"a message on its way", [](WorkflowEntry& entry, CachedRun&) { entry.parts_under_way = 1; }},
      {"a batch", [](WorkflowEntry&, CachedRun& run) { run.batch = 1; }},
      {"volatile", [](WorkflowEntry&, CachedRun& run) { run.has_volatile = true; }},
      {"waiters", [](WorkflowEntry&, CachedRun& run) { run.waiters.emplace_back(); }},
      {"queries", [](WorkflowEntry&, CachedRun& run) { run.queries.emplace_back(); }},
      {"queries with a task", [](WorkflowEntry&, CachedRun& run) { run.task_queries.emplace_back(); }},
  };
  for (const auto& [name, hold] : cases) {
    left_.clear();
    RunCache& runs = cache(1);
    CachedRun& run = new_run(runs, "held", "held");
    hold(runs.entry({"ns", "held"}), run);
    new_run(runs, "free", "free");
    runs.entry({"ns", "another"});
    runs.shrink();
    EXPECT_THAT(left_, ElementsAre("free")) << name;
    EXPECT_NE(runs.find({"ns", "held"}), nullptr) << name;
  }
}

TEST_F(RunCacheTest, WhatIsVolatileIsWrittenDownToLeaveTheNextTime) {
  RunCache& runs = cache(1);
  new_run(runs, "a", "volatile").has_volatile = true;
  CachedRun& on_its_way = new_run(runs, "b", "on its way");
  on_its_way.has_volatile = true;
  on_its_way.batch = 1;
  CachedRun& busy = new_run(runs, "c", "busy");
  busy.has_volatile = true;
  runs.entry({"ns", "c"}).busy = true;
  runs.entry({"ns", "d"});
  runs.shrink();
  EXPECT_THAT(written_down_, ElementsAre("volatile"));
}

TEST_F(RunCacheTest, TheEndTakesAllRequestsThatWait) {
  RunCache& runs = cache(1 << 20);
  for (const char* id : {"a", "b"}) runs.entry({"ns", id}).waiting.push_back({id, nullptr, nullptr});
  EXPECT_THAT(runs.take_waiting(), SizeIs(2));
  EXPECT_THAT(runs.take_waiting(), IsEmpty());
}

TEST_F(RunCacheTest, ClosedRunsOfALongChainLeaveWhileItGoesOn) {
  RunCache& runs = cache(1 << 20);
  WorkflowEntry& entry = runs.entry({"ns", "order"});
  for (const char* id : {"r1", "r2", "r3", "r4"}) new_run(runs, "order", id).durable_closed = true;
  entry.current = store::CurrentRow{entry.key, "r5", 1, "start"};
  runs.retire(*entry.runs.at("r1"));
  EXPECT_THAT(left_, IsEmpty()) << "a short chain stays";
  new_run(runs, "order", "r5").durable_closed = true;
  runs.retire(*entry.runs.at("r5"));
  entry.runs.at("r1")->durable_closed = false;
  runs.retire(*entry.runs.at("r1"));
  entry.runs.at("r2")->waiters.emplace_back();
  runs.retire(*entry.runs.at("r2"));
  EXPECT_THAT(left_, IsEmpty()) << "the last one stays, and what is not durable, and what somebody waits for";
  runs.retire(*entry.runs.at("r3"));
  EXPECT_THAT(left_, ElementsAre("r3"));
  EXPECT_FALSE(runs.holds({"ns", "order", "r3"}));
}

}  // namespace
}  // namespace skald::shard
