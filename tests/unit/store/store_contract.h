#pragma once

#include <functional>
#include <future>
#include <memory>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include <absl/status/status.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/store/store.h"

// What every store must do. A store's test instantiates the suite with a factory of fresh, empty stores.
namespace skald::store {

struct StoreFactory {
  std::string name;
  std::function<std::unique_ptr<Store>()> make;
};
inline void PrintTo(const StoreFactory& factory, std::ostream* out) { *out << factory.name; }

// Waits for an asynchronous read.
template <typename T, typename F>
absl::StatusOr<T> wait_for(F call) {
  auto promise = std::make_shared<std::promise<absl::StatusOr<T>>>();
  call([promise](absl::StatusOr<T> result) { promise->set_value(std::move(result)); });
  return promise->get_future().get();
}

inline absl::Status commit(Store& store, Batch batch) {
  auto promise = std::make_shared<std::promise<absl::Status>>();
  store.commit(std::move(batch), [promise](absl::Status status) { promise->set_value(std::move(status)); });
  return promise->get_future().get();
}

inline RunKey run_key(const std::string& run) { return {"ns", "workflow-" + run, run}; }
inline absl::Time at(int64_t seconds) { return absl::FromUnixSeconds(1'700'000'000 + seconds); }

inline VisibilityRow visibility_row(const std::string& run, int64_t start, int status) {
  VisibilityRow row;
  row.key = run_key(run);
  row.workflow_type = "Order";
  row.task_queue = "orders";
  row.status = status;
  row.start_time = row.execution_time = at(start);
  return row;
}

inline Filter compare(Field field, Comparison comparison, std::vector<Value> values) {
  Filter filter;
  filter.kind = Filter::Kind::kCompare;
  filter.field = std::move(field);
  filter.comparison = comparison;
  filter.values = std::move(values);
  return filter;
}
inline Filter compare(Column column, Comparison comparison, std::vector<Value> values) {
  return compare(Field{column, "", 0}, comparison, std::move(values));
}
inline Filter combine(Filter::Kind kind, std::vector<Filter> operands) {
  Filter filter;
  filter.kind = kind;
  filter.operands = std::move(operands);
  return filter;
}

class StoreContract : public testing::TestWithParam<StoreFactory> {
 protected:
  StoreContract() : store_(GetParam().make()), lease_(*store_->acquire(0, kSlots, "test:1")) {}

  Batch batch() {
    Batch batch;
    batch.id = "batch-" + std::to_string(++batches_);
    batch.lease = lease_;
    return batch;
  }
  absl::StatusOr<std::optional<RunRow>> run(const RunKey& key) {
    return wait_for<std::optional<RunRow>>([&](auto done) { store_->read_run(key, std::move(done)); });
  }
  absl::StatusOr<std::optional<CurrentRow>> current(const WorkflowKey& key) {
    return wait_for<std::optional<CurrentRow>>([&](auto done) { store_->read_current(key, std::move(done)); });
  }
  std::vector<int64_t> history(const RunKey& key, int64_t first, int64_t last, size_t max_bytes) {
    return starts(*wait_for<std::vector<HistoryChunk>>(
        [&](auto done) { store_->read_history(key, first, last, max_bytes, std::move(done)); }));
  }
  std::vector<int64_t> history_reverse(const RunKey& key, int64_t last, size_t max_bytes) {
    return starts(*wait_for<std::vector<HistoryChunk>>(
        [&](auto done) { store_->read_history_reverse(key, last, max_bytes, std::move(done)); }));
  }
  Page<OutboxRow> outbox(const std::string& after, size_t limit) {
    return *wait_for<Page<OutboxRow>>([&](auto done) { store_->scan_outbox(lease_, after, limit, std::move(done)); });
  }
  std::vector<std::string> found(const Filter& filter) {
    const VisibilityQuery query{"ns", filter, false};
    std::vector<std::string> runs;
    auto page = wait_for<Page<VisibilityRow>>([&](auto done) { store_->list(query, 100, "", std::move(done)); });
    if (!page.ok()) return {page.status().ToString()};
    for (const VisibilityRow& row : page->rows) runs.push_back(row.key.run_id);
    auto groups = wait_for<std::vector<CountGroup>>([&](auto done) { store_->count(query, std::move(done)); });
    if (!groups.ok() || groups->size() != 1) return {"count failed"};
    EXPECT_EQ((*groups)[0].count, static_cast<int64_t>(runs.size()));
    return runs;
  }

  std::unique_ptr<Store> store_;
  Lease lease_;
  int batches_ = 0;

 private:
  static std::vector<int64_t> starts(const std::vector<HistoryChunk>& chunks) {
    std::vector<int64_t> result;
    for (const HistoryChunk& chunk : chunks) result.push_back(chunk.first_event_id);
    return result;
  }
};

}  // namespace skald::store
