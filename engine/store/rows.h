#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <absl/time/time.h>

// The rows of durable state, as every store keeps them. Ids are text, times are absl::Time (stored as Unix nanoseconds;
// absl::InfinitePast() means "not set" and is stored as NULL or 0), blobs are opaque to the store.
namespace skald::store {

inline constexpr int kSlots = 4096;

// slot = hash(namespace id, workflow id) mod 4096, for ever: FNV-1a 64 over the namespace id, a zero byte and the
// workflow id.
int slot_of(std::string_view namespace_id, std::string_view workflow_id);

struct WorkflowKey {
  std::string namespace_id;
  std::string workflow_id;
  auto operator<=>(const WorkflowKey&) const = default;
};

// `run_id` is unique for ever, across namespaces and workflows.
struct RunKey {
  std::string namespace_id;
  std::string workflow_id;
  std::string run_id;
  WorkflowKey workflow() const { return {namespace_id, workflow_id}; }
  auto operator<=>(const RunKey&) const = default;
};

inline int slot_of(const RunKey& key) { return slot_of(key.namespace_id, key.workflow_id); }

// One run of a workflow. `status` is temporal.api.enums.v1.WorkflowExecutionStatus.
struct RunRow {
  RunKey key;
  int status = 0;
  // When the owner must look at the run next (timer, timeout, retry, retention); InfiniteFuture() = never by itself.
  absl::Time wake_time = absl::InfiniteFuture();
  // Tasks wait for a worker: they are put into matching again when the owner starts.
  bool has_work = false;
  std::string state;  // core::RunState, serialised
};

// Which run of a workflow id is the current one.
struct CurrentRow {
  WorkflowKey key;
  std::string run_id;
  int status = 0;
  std::string start_request_id;
};

// Events first_event_id..last_event_id as the wire bytes of temporal.api.history.v1.History. Chunks of a run are
// contiguous.
struct HistoryChunk {
  int64_t first_event_id = 0;
  int64_t last_event_id = 0;
  std::string bytes;
};
struct HistoryRow {
  RunKey key;
  HistoryChunk chunk;
};

// A durable message from one run to another: at least once, applied at most once.
struct OutboxRow {
  std::string id;  // unique; the request id under which the receiver applies it
  RunKey source;
  std::string message;  // shard's OutboxMessage, serialised
};

// A custom search attribute's value. Exactly the alternative of the attribute's type is set.
struct AttributeValue {
  int type = 0;                    // temporal.api.enums.v1.IndexedValueType
  std::vector<std::string> texts;  // Text, Keyword: one; KeywordList: any number
  std::optional<int64_t> number;   // Int, Bool (0/1), Datetime (Unix nanoseconds)
  std::optional<double> real;      // Double
  bool operator==(const AttributeValue&) const = default;
};

// What list and count see of a run. Written in the same commit as the run. The start and execution times must be set,
// and state_transition_count must not fall from one write to the next.
struct VisibilityRow {
  RunKey key;
  std::string workflow_type;
  std::string task_queue;
  int status = 0;
  absl::Time start_time;
  absl::Time execution_time;
  absl::Time close_time = absl::InfinitePast();  // InfinitePast() = open
  int64_t history_length = 0;
  int64_t history_size_bytes = 0;
  int64_t state_transition_count = 0;
  std::string parent_workflow_id;
  std::string parent_run_id;
  std::string root_workflow_id;
  std::string root_run_id;
  std::string memo;               // temporal.api.common.v1.Memo, serialised
  std::string search_attributes;  // temporal.api.common.v1.SearchAttributes, serialised: what List returns
  std::map<std::string, AttributeValue> attributes;  // the custom ones, decoded for filtering
};

struct NamespaceRow {
  std::string id;
  std::string name;
  std::string record;  // namespaces' own record, serialised
};

}  // namespace skald::store
