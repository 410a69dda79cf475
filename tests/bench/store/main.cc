// What a durable commit costs: one batch of n runs, and n batches of one run that wait together, on SQLite and in
// memory. SQLite's numbers mean something only beside the disk's own: fsync_us is the median of appending 4 KiB and
// fdatasync in the same folder, just before.
//
//   skald-store-bench [folder] [Google Benchmark's options]     the folder is for scratch files; by default the current
//   one
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <latch>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <benchmark/benchmark.h>
#include <unistd.h>

#include "engine/base/clock.h"
#include "engine/base/random.h"
#include "engine/base/thread_executor.h"
#include "engine/store/memory/memory_store.h"
#include "engine/store/sqlite/sqlite_store.h"
#include "tests/bench/common/fsync_probe.h"

namespace skald::store {
namespace {

// About what a workflow of one activity holds.
constexpr size_t kStateBytes = 700;
constexpr size_t kHistoryBytes = 900;

void add_run(Batch& batch, uint64_t number) {
  const std::string id = "order-" + std::to_string(number);
  const RunKey key{"0d7a4d9c-3c1c-4b53-9d0a-7e3f6a1b2c4d", id, "run-" + id};
  const absl::Time now = absl::UnixEpoch() + absl::Seconds(1'700'000'000 + static_cast<int64_t>(number));
  batch.runs.push_back({key, 1, now, true, std::string(kStateBytes, 's')});
  batch.current.push_back({key.workflow(), key.run_id, 1, "request"});
  batch.history.push_back({key, {1, 5, std::string(kHistoryBytes, 'h')}});
  VisibilityRow row;
  row.key = key;
  row.workflow_type = "Order";
  row.task_queue = "orders";
  row.status = 1;
  row.start_time = row.execution_time = now;
  row.state_transition_count = 1;
  batch.visibility.push_back(std::move(row));
}

// Commits `batches` batches of `runs` runs at once, and waits for all of them, again and again.
void measure(benchmark::State& state, Store& store, int64_t batches, int64_t runs) {
  const auto lease = store.acquire(0, kSlots, "benchmark");
  if (!lease.ok()) return state.SkipWithError(lease.status().ToString().c_str());
  uint64_t number = 0;
  std::atomic<bool> failed = false;
  for (auto _ : state) {
    state.PauseTiming();
    std::vector<Batch> next(static_cast<size_t>(batches));
    for (Batch& batch : next) {
      batch.id = std::to_string(number);
      batch.lease = *lease;
      for (int64_t i = 0; i < runs; ++i) add_run(batch, number++);
    }
    std::latch answered(static_cast<ptrdiff_t>(batches));
    state.ResumeTiming();
    for (Batch& batch : next) {
      store.commit(std::move(batch), [&](const absl::Status& status) {
        if (!status.ok()) failed = true;
        answered.count_down();
      });
    }
    answered.wait();
  }
  if (failed) state.SkipWithError("a commit failed");
  state.SetItemsProcessed(state.iterations() * batches * runs);
}

std::string scratch_folder;

class ScratchFolder {
 public:
  ScratchFolder() : path_(scratch_folder + "/store-bench-XXXXXX") {
    if (mkdtemp(path_.data()) == nullptr) throw std::system_error(errno, std::generic_category(), path_);
  }
  ~ScratchFolder() { std::filesystem::remove_all(path_); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

void sqlite(benchmark::State& state, int64_t batches, int64_t runs) {
  const ScratchFolder folder;
  const bench::FsyncProbe probe = bench::probe_fsync(folder.path());
  SqliteOptions options;
  options.path = folder.path() + "/skald.db";
  const auto store = open_sqlite(options);
  if (!store.ok()) return state.SkipWithError(store.status().ToString().c_str());
  measure(state, **store, batches, runs);
  state.counters["fsync_us"] = absl::ToDoubleMicroseconds(probe.median);
}

void memory(benchmark::State& state, int64_t batches, int64_t runs) {
  const base::SystemClock clock;
  base::ThreadExecutor executor("store", clock);
  MemoryStore store(std::make_shared<MemoryDisk>(), executor, clock, base::make_seeded_random(1));
  measure(state, store, batches, runs);
}

void sqlite_one_batch_of_runs(benchmark::State& state) { sqlite(state, 1, state.range(0)); }
void sqlite_batches_at_once(benchmark::State& state) { sqlite(state, state.range(0), 1); }
void memory_one_batch_of_runs(benchmark::State& state) { memory(state, 1, state.range(0)); }
void memory_batches_at_once(benchmark::State& state) { memory(state, state.range(0), 1); }

void sizes(benchmark::internal::Benchmark* benchmark) {
  for (const int64_t size : {1, 16, 64, 256}) benchmark->Arg(size);
  benchmark->UseRealTime()->Unit(benchmark::kMicrosecond);
}
BENCHMARK(sqlite_one_batch_of_runs)->Apply(sizes);
BENCHMARK(sqlite_batches_at_once)->Apply(sizes);
BENCHMARK(memory_one_batch_of_runs)->Apply(sizes);
BENCHMARK(memory_batches_at_once)->Apply(sizes);

}  // namespace
}  // namespace skald::store

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (argc > 2 || (argc == 2 && !std::filesystem::is_directory(argv[1]))) {
    std::cerr << "usage: skald-store-bench [folder] [--benchmark_...]; the folder must exist\n";
    return 2;
  }
  skald::store::scratch_folder = argc == 2 ? argv[1] : ".";
  try {
    benchmark::RunSpecifiedBenchmarks();
  } catch (const std::exception& error) {
    std::cerr << "skald-store-bench: " << error.what() << "\n";
    return 1;
  }
  return 0;
}
