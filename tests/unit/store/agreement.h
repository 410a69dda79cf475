#pragma once

#include <future>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "engine/base/random.h"
#include "engine/base/thread_executor.h"
#include "engine/store/memory/memory_store.h"
#include "tests/unit/store/store_contract.h"

namespace skald::store {
inline constexpr int kText = 1, kKeyword = 2, kInt = 3, kDouble = 4, kKeywordList = 7;

// Few values, so that questions hit; some that trip comparisons: empty, a prefix of another, beyond ASCII, SQL's own
// signs.
inline constexpr const char* kWords[] = {"", "a", "ab", "b", "B", "\xC3\xA4", "%", "_", "'", "10"};

// A store and the one in memory are given the same random rows, and asked the same random questions. The parameter is a
// seed and a factory of empty stores.
class Agreement : public testing::TestWithParam<std::tuple<uint64_t, StoreFactory>> {
 protected:
  Agreement() : random_(base::make_seeded_random(std::get<0>(GetParam()))) {
    stores_.push_back(std::get<1>(GetParam()).make());
    stores_.push_back(std::make_unique<MemoryStore>(std::make_shared<MemoryDisk>(), executor_, clock_,
                                                    base::make_seeded_random(std::get<0>(GetParam()))));
    for (auto& store : stores_) lease_ = *store->acquire(0, kSlots, "test");
  }

  int64_t below(uint64_t bound) { return static_cast<int64_t>(random_->below(bound)); }
  std::string word() { return kWords[random_->below(std::size(kWords))]; }
  RunKey key() {
    const std::string run = std::to_string(below(30));
    return {"ns", "workflow-" + run, run};
  }

  VisibilityRow visibility() {
    VisibilityRow row;
    row.key = key();
    row.workflow_type = word();
    row.task_queue = word();
    row.status = static_cast<int>(below(4));
    row.start_time = at(below(5));
    row.execution_time = at(below(5));
    if (below(2) == 0) row.close_time = at(below(5));
    row.history_length = below(5);
    row.history_size_bytes = below(5);
    row.state_transition_count = 2 + ++transitions_;
    row.parent_workflow_id = word();
    row.root_run_id = word();
    if (below(2) == 0) row.attributes["Text"] = {kText, {word()}, {}, {}};
    if (below(2) == 0) row.attributes["Int"] = {kInt, {}, below(4), {}};
    if (below(2) == 0) row.attributes["Double"] = {kDouble, {}, {}, 0.5 * static_cast<double>(below(4))};
    if (below(2) == 0) row.attributes["List"] = {kKeywordList, {word(), word()}, {}, {}};
    if (below(4) == 0) row.attributes["List"] = {kKeywordList, {}, {}, {}};
    return row;
  }

  Batch batch() {
    Batch batch;
    batch.id = std::to_string(++batches_);
    batch.lease = lease_;
    for (int64_t i = below(4); i > 0; --i) {
      const absl::Time wake = below(3) == 0 ? absl::InfiniteFuture() : at(below(5));
      batch.runs.push_back({key(), static_cast<int>(below(3)), wake, below(2) == 0, word()});
    }
    for (int64_t i = below(3); i > 0; --i) {
      const RunKey run = key();
      batch.current.push_back({run.workflow(), run.run_id, 1, word()});
    }
    for (int64_t i = below(3); i > 0; --i) {
      const int64_t first = 1 + 2 * below(3);
      batch.history.push_back({key(), {first, first + 1, word()}});
    }
    for (int64_t i = below(3); i > 0; --i) batch.outbox.push_back({std::to_string(below(9)), key(), word()});
    for (int64_t i = below(3); i > 0; --i) batch.outbox_done.push_back(std::to_string(below(9)));
    for (int64_t i = below(4); i > 0; --i) batch.visibility.push_back(visibility());
    if (below(3) == 0) batch.deleted_runs.push_back(key());
    return batch;
  }

  Value value_for(const Field& field) {
    switch (field.column) {
      case Column::kStatus:
      case Column::kHistoryLength:
      case Column::kHistorySizeBytes:
      case Column::kStateTransitionCount:
        return below(5);
      case Column::kStartTime:
      case Column::kExecutionTime:
      case Column::kCloseTime:
        return absl::ToUnixNanos(at(below(5)));
      case Column::kCustom:
        if (field.custom_type == kInt) return below(4);
        if (field.custom_type == kDouble) return 0.5 * static_cast<double>(below(4));
        return word();
      case Column::kRunId:
        return std::to_string(below(30));
      default:
        return word();
    }
  }

  Field field() {
    const auto column = static_cast<Column>(below(static_cast<uint64_t>(Column::kCustom) + 4));
    if (column < Column::kCustom) return {column, "", 0};
    const std::pair<const char*, int> custom[] = {
        {"Text", kText}, {"Int", kInt}, {"Double", kDouble}, {"List", kKeywordList}, {"Never", kKeyword}};
    const auto& [name, type] = custom[random_->below(std::size(custom))];
    return {Column::kCustom, name, type};
  }

  Filter filter(int depth) {
    const auto kind = static_cast<Filter::Kind>(below(depth > 0 ? 5 : 2));
    if (kind == Filter::Kind::kAll) return {};
    if (kind != Filter::Kind::kCompare) {
      std::vector<Filter> operands;
      const int64_t count = kind == Filter::Kind::kNot ? 1 : below(4);
      for (int64_t i = 0; i < count; ++i) operands.push_back(filter(depth - 1));
      return combine(kind, std::move(operands));
    }
    const Field on = field();
    auto comparison = static_cast<Comparison>(below(static_cast<uint64_t>(Comparison::kStartsWith) + 1));
    const bool text = std::holds_alternative<std::string>(value_for(on));
    if (comparison == Comparison::kStartsWith && !text) comparison = Comparison::kEqual;
    std::vector<Value> values;
    const int64_t count = comparison == Comparison::kIn        ? below(4)
                          : comparison == Comparison::kBetween ? 2
                          : comparison == Comparison::kIsNull  ? 0
                                                               : 1;
    for (int64_t i = 0; i < count; ++i) values.push_back(value_for(on));
    return compare(on, comparison, std::move(values));
  }

  // The same question to both; what is printed of the answers must be the same.
  template <typename T, typename Ask, typename Print>
  void expect_agreement(Ask ask, Print print) {
    std::vector<std::vector<std::string>> answers;
    for (auto& store : stores_) {
      std::vector<std::string>& lines = answers.emplace_back();
      const auto answer = wait_for<T>([&](auto done) { ask(*store, std::move(done)); });
      if (!answer.ok()) {
        lines = {answer.status().ToString()};
      } else {
        print(*answer, lines);
      }
    }
    EXPECT_EQ(answers[0], answers[1]);
  }

  void expect_same_list(const VisibilityQuery& query, size_t page_size) {
    std::string token;
    do {
      std::string next;
      expect_agreement<Page<VisibilityRow>>(
          [&](Store& store, auto done) { store.list(query, page_size, token, std::move(done)); },
          [&](const Page<VisibilityRow>& page, auto& lines) {
            for (const VisibilityRow& row : page.rows) {
              lines.push_back(row.key.run_id + row.workflow_type + std::to_string(row.status) +
                              absl::FormatTime(row.close_time) + std::to_string(row.attributes.size()));
            }
            lines.push_back(next = page.next);
          });
      token = next;
    } while (!token.empty() && !HasFailure());
  }

  void expect_same_count(const VisibilityQuery& query) {
    expect_agreement<std::vector<CountGroup>>(
        [&](Store& store, auto done) { store.count(query, std::move(done)); },
        [](const std::vector<CountGroup>& groups, auto& lines) {
          for (const CountGroup& group : groups) {
            lines.push_back(std::to_string(group.status) + ":" + std::to_string(group.count));
          }
        });
  }

  template <typename Row, typename Scan, typename Print>
  void expect_same_scan(Scan scan, Print print) {
    std::string after;
    do {
      std::string next;
      expect_agreement<Page<Row>>([&](Store& store, auto done) { scan(store, after, std::move(done)); },
                                  [&](const Page<Row>& page, auto& lines) {
                                    for (const Row& row : page.rows) lines.push_back(print(row));
                                    lines.push_back(next = page.next);
                                  });
      after = next;
    } while (!after.empty() && !HasFailure());
  }

  void expect_same_rows(const RunKey& run) {
    const auto print_chunks = [](const std::vector<HistoryChunk>& chunks, auto& lines) {
      for (const auto& chunk : chunks) lines.push_back(std::to_string(chunk.first_event_id) + chunk.bytes);
    };
    expect_agreement<std::optional<RunRow>>(
        [&](Store& store, auto done) { store.read_run(run, std::move(done)); },
        [](const auto& row, auto& lines) {
          if (row) lines = {row->state, std::to_string(row->status), absl::FormatTime(row->wake_time)};
        });
    expect_agreement<std::optional<CurrentRow>>(
        [&](Store& store, auto done) { store.read_current(run.workflow(), std::move(done)); },
        [](const auto& row, auto& lines) {
          if (row) lines = {row->run_id, std::to_string(row->status), row->start_request_id};
        });
    const int64_t from = below(7), to = below(7);
    const auto bytes = static_cast<size_t>(1 + below(4));
    expect_agreement<std::vector<HistoryChunk>>(
        [&](Store& store, auto done) { store.read_history(run, from, to, bytes, std::move(done)); }, print_chunks);
    expect_agreement<std::vector<HistoryChunk>>(
        [&](Store& store, auto done) { store.read_history_reverse(run, to, bytes, std::move(done)); }, print_chunks);
  }

  std::unique_ptr<base::Random> random_;
  base::SystemClock clock_;
  base::ThreadExecutor executor_{"store", clock_};
  std::vector<std::unique_ptr<Store>> stores_;
  Lease lease_;
  int64_t transitions_ = 0;
  int batches_ = 0;
};

}  // namespace skald::store
