#include "engine/store/memory/contents.h"

#include <set>
#include <utility>

#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>

#include "engine/store/scan_position.h"

namespace skald::store {
namespace {

absl::Status malformed() { return absl::InvalidArgumentError("malformed position"); }

StoredRun stored(const RunRow& row) { return {row, slot_of(row.key)}; }
StoredMessage stored(const OutboxRow& row) { return {row, slot_of(row.source)}; }

// As a data base would give it back.
VisibilityRow stored(VisibilityRow row) {
  std::erase_if(row.attributes, [](const auto& attribute) {
    const AttributeValue& value = attribute.second;
    return value.texts.empty() && !value.number && !value.real;
  });
  for (auto& [name, value] : row.attributes) value.type = 0;
  return row;
}

std::string position(const RunKey& key) { return encode_position({key.namespace_id, key.workflow_id, key.run_id}); }
std::string visibility_position(const RunKey& key) { return encode_position({key.namespace_id, key.run_id}); }

// The parts of a position; as many empty ones for the beginning.
std::optional<std::vector<std::string>> parts_of(const std::string& after, size_t parts) {
  if (after.empty()) return std::vector<std::string>(parts);
  return decode_position(after, parts);
}

class MemoryContents final : public Contents {
 public:
  MemoryContents(MemoryDisk& disk, const PageLimits& limits) : disk_(disk), limits_(limits) {}

  absl::StatusOr<std::vector<NamespaceRow>> namespaces() override {
    return disk_.with([](const Tables& tables) {
      std::vector<NamespaceRow> rows;
      for (const auto& [id, row] : tables.namespaces_by_id()) rows.push_back(row);
      return rows;
    });
  }

  absl::StatusOr<Page<SettingRow>> settings(const std::string& after) override {
    return page<SettingRow>(
        [](const Tables& tables) -> const auto& { return tables.settings(); }, after,
        [](const auto& entry) {
          return SettingRow{entry.first, entry.second};
        },
        [](const SettingRow& row) { return row.value.size(); }, [](const SettingRow& row) { return row.name; });
  }

  absl::StatusOr<Page<StoredRun>> runs(const std::string& after) override {
    const auto from = parts_of(after, 3);
    if (!from) return malformed();
    return page<StoredRun>(
        [](const Tables& tables) -> const auto& { return tables.runs(); }, RunKey{(*from)[0], (*from)[1], (*from)[2]},
        [](const auto& entry) { return stored(entry.second); },
        [](const StoredRun& run) { return run.row.state.size(); },
        [](const StoredRun& run) { return position(run.row.key); });
  }

  absl::StatusOr<Page<CurrentRow>> current(const std::string& after) override {
    const auto from = parts_of(after, 2);
    if (!from) return malformed();
    return page<CurrentRow>(
        [](const Tables& tables) -> const auto& { return tables.current_runs(); }, WorkflowKey{(*from)[0], (*from)[1]},
        [](const auto& entry) { return entry.second; }, [](const CurrentRow&) { return size_t{0}; },
        [](const CurrentRow& row) {
          return encode_position({row.key.namespace_id, row.key.workflow_id});
        });
  }

  absl::StatusOr<Page<HistoryRow>> history(const std::string& after) override { return histories(nullptr, after); }

  absl::StatusOr<Page<HistoryRow>> history_of(const std::vector<std::string>& run_ids,
                                              const std::string& after) override {
    const std::set<std::string> wanted(run_ids.begin(), run_ids.end());
    return histories(&wanted, after);
  }

  absl::StatusOr<Page<StoredMessage>> outbox(const std::string& after) override {
    return page<StoredMessage>(
        [](const Tables& tables) -> const auto& { return tables.messages(); }, after,
        [](const auto& entry) { return stored(entry.second); },
        [](const StoredMessage& message) { return message.row.message.size(); },
        [](const StoredMessage& message) { return message.row.id; });
  }

  absl::StatusOr<Page<VisibilityRow>> visibility(const std::string& after) override {
    const auto from = parts_of(after, 2);
    if (!from) return malformed();
    return page<VisibilityRow>(
        [](const Tables& tables) -> const auto& { return tables.visibility(); }, std::make_pair((*from)[0], (*from)[1]),
        [](const auto& entry) { return stored(entry.second); },
        [](const VisibilityRow& row) { return row.memo.size() + row.search_attributes.size(); },
        [](const VisibilityRow& row) { return visibility_position(row.key); });
  }

  absl::StatusOr<std::vector<StoredRun>> runs_of(const std::vector<RunKey>& keys) override {
    return disk_.with([&](const Tables& tables) {
      std::vector<StoredRun> rows;
      for (const RunKey& key : keys) {
        if (const auto row = tables.run(key)) rows.push_back(stored(*row));
      }
      return rows;
    });
  }

  absl::StatusOr<std::vector<StoredMessage>> outbox_of(const std::vector<std::string>& ids) override {
    return disk_.with([&](const Tables& tables) {
      std::vector<StoredMessage> rows;
      for (const std::string& id : ids) {
        const auto found = tables.messages().find(id);
        if (found != tables.messages().end()) rows.push_back(stored(found->second));
      }
      return rows;
    });
  }

  absl::StatusOr<std::vector<VisibilityRow>> visibility_of(const std::vector<RunKey>& keys) override {
    return disk_.with([&](const Tables& tables) {
      std::vector<VisibilityRow> rows;
      for (const RunKey& key : keys) {
        const auto found = tables.visibility().find({key.namespace_id, key.run_id});
        if (found != tables.visibility().end()) rows.push_back(stored(found->second));
      }
      return rows;
    });
  }

  absl::StatusOr<Page<std::string>> history_without_run(const std::string& after) override {
    return disk_.with([&](const Tables& tables) {
      std::set<std::string> known;
      for (const auto& [key, row] : tables.runs()) known.insert(key.run_id);
      Page<std::string> result;
      const auto& histories = tables.histories();
      for (auto next = histories.upper_bound(after); next != histories.end() && result.next.empty(); ++next) {
        if (known.contains(next->first) || next->second.empty()) continue;
        result.rows.push_back(next->first);
        if (result.rows.size() >= limits_.rows) result.next = next->first;
      }
      return result;
    });
  }

  absl::StatusOr<Page<RunKey>> visibility_without_run(const std::string& after) override {
    const auto from = parts_of(after, 2);
    if (!from) return malformed();
    return disk_.with([&](const Tables& tables) {
      Page<RunKey> result;
      const auto& rows = tables.visibility();
      for (auto next = rows.upper_bound({(*from)[0], (*from)[1]}); next != rows.end() && result.next.empty(); ++next) {
        if (tables.runs().contains(next->second.key)) continue;
        result.rows.push_back(next->second.key);
        if (result.rows.size() >= limits_.rows) result.next = visibility_position(result.rows.back());
      }
      return result;
    });
  }

 private:
  template <typename Row, typename Select, typename Key, typename Make, typename Size, typename Position>
  Page<Row> page(Select select, const Key& after, Make make, Size size, Position position) {
    return disk_.with([&](const Tables& tables) {
      Page<Row> result;
      size_t bytes = 0;
      const auto& rows = select(tables);
      for (auto next = rows.upper_bound(after); next != rows.end() && result.next.empty(); ++next) {
        result.rows.push_back(make(*next));
        bytes += size(result.rows.back());
        if (result.rows.size() >= limits_.rows || bytes >= limits_.bytes) result.next = position(result.rows.back());
      }
      return result;
    });
  }

  // Of the wanted runs; of all if that is null.
  absl::StatusOr<Page<HistoryRow>> histories(const std::set<std::string>* wanted, const std::string& after) {
    auto from = parts_of(after, 2);
    int64_t event_id = INT64_MIN;
    if (!from || (!after.empty() && !absl::SimpleAtoi((*from)[1], &event_id))) return malformed();
    return disk_.with([&](const Tables& tables) {
      Page<HistoryRow> result;
      const auto& runs = tables.histories();
      size_t bytes = 0;
      for (auto run = runs.lower_bound((*from)[0]); run != runs.end(); ++run) {
        if (wanted != nullptr && !wanted->contains(run->first)) continue;
        const bool goes_on = run->first == (*from)[0];
        for (const auto& [first, chunk] : run->second) {
          if (goes_on && first <= event_id) continue;
          result.rows.push_back({{"", "", run->first}, chunk});
          bytes += chunk.bytes.size();
          if (result.rows.size() < limits_.rows && bytes < limits_.bytes) continue;
          result.next = encode_position({run->first, absl::StrCat(first)});
          return result;
        }
      }
      return result;
    });
  }

  MemoryDisk& disk_;
  const PageLimits limits_;
};

}  // namespace

std::unique_ptr<Contents> contents_of(MemoryDisk& disk, const PageLimits& limits) {
  return std::make_unique<MemoryContents>(disk, limits);
}

}  // namespace skald::store
