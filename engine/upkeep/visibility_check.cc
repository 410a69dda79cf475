#include "engine/upkeep/visibility_check.h"

#include <algorithm>
#include <optional>
#include <utility>

#include <absl/strings/escaping.h>
#include <absl/strings/str_cat.h>

#include "engine/shard/visibility_row.h"
#include "engine/upkeep/run_check.h"
#include "engine/visibility/attributes.h"

namespace skald::upkeep {
namespace {

constexpr int kFirstType = 1;  // temporal.api.enums.v1.IndexedValueType: Text to KeywordList
constexpr int kLastType = 7;

// Compares columns and reports the ones that differ.
class Comparison {
 public:
  Comparison(const std::string& name, Report& report) : name_(name), report_(report) {}

  void texts(const char* column, const std::string& is, const std::string& should) {
    if (is != should) violation(column, absl::StrCat("'", is, "'"), absl::StrCat("'", should, "'"));
  }
  void numbers(const char* column, int64_t is, int64_t should) {
    if (is != should) violation(column, absl::StrCat(is), absl::StrCat(should));
  }
  void times(const char* column, absl::Time is, absl::Time should) {
    if (!same_time(is, should)) violation(column, sql_time(is), sql_time(should));
  }
  void blobs(const char* column, const std::string& is, const std::string& should) {
    if (is != should) violation(column, absl::StrCat(is.size(), " bytes"), "other bytes");
  }
  // Of counts that may lag behind.
  void counts(const char* column, int64_t is, int64_t should, bool may_lag) {
    if (is == should || (may_lag && is < should)) return;
    violation(column, absl::StrCat(is), absl::StrCat(should));
  }
  void violation(const std::string& column, const std::string& is, const std::string& should) {
    report_.violation(Table::kVisibility,
                      absl::StrCat(name_, ": visibility.", column, " is ", is, ", its state says ", should,
                                   "; list and count are wrong about it until it is set to that, or until the run "
                                   "changes"));
  }

 private:
  const std::string& name_;
  Report& report_;
};

// The values as a set: an index of them knows no order.
store::AttributeValue normal(store::AttributeValue value) {
  value.type = 0;
  std::sort(value.texts.begin(), value.texts.end());
  value.texts.erase(std::unique(value.texts.begin(), value.texts.end()), value.texts.end());
  return value;
}

bool has_value(const store::AttributeValue& value) {
  return !value.texts.empty() || value.number.has_value() || value.real.has_value();
}

// An attribute's definition may have changed since the row was written: the value must be the state's, read as
// a type that it may have had.
bool is_value_of(const store::AttributeValue& stored, const temporal::api::common::v1::SearchAttributes& attributes,
                 const std::string& name) {
  for (int type = kFirstType; type <= kLastType; ++type) {
    auto decoded = visibility::decode_attributes(attributes, {{name, type}});
    const auto found = decoded.find(name);
    if (found != decoded.end() && normal(std::move(found->second)) == normal(stored)) return true;
  }
  return false;
}

void compare_attributes(const store::VisibilityRow& stored, const skald::state::v1::RunState& state,
                        const core::NamespaceSettings* ns, Comparison& compare) {
  for (const auto& [name, value] : stored.attributes) {
    if (is_value_of(value, state.search_attributes(), name)) continue;
    compare.violation(absl::StrCat("search attribute ", name), "a value", "another, or none");
  }
  if (ns == nullptr) return;
  for (const auto& [name, value] : visibility::decode_attributes(state.search_attributes(), ns->search_attributes)) {
    if (!has_value(value) || stored.attributes.contains(name)) continue;
    compare.violation(absl::StrCat("search attribute ", name), "missing in search_attributes", "it has a value");
  }
}

}  // namespace

void check_visibility(const store::VisibilityRow* stored, const skald::state::v1::RunState& state,
                      const KnownNamespaces& namespaces, const std::string& name, Report& report) {
  if (stored == nullptr) {
    return report.violation(
        Table::kVisibility,
        absl::StrCat(name,
                     ": it has no row in visibility, list and count miss it; restore the row from a "
                     "backup, or change the run (a signal, an end), which writes it again"));
  }
  const store::VisibilityRow should = shard::visibility_row(state, {});
  Comparison compare(name, report);
  compare.texts("workflow_id", stored->key.workflow_id, should.key.workflow_id);
  compare.texts("workflow_type", stored->workflow_type, should.workflow_type);
  compare.texts("task_queue", stored->task_queue, should.task_queue);
  compare.numbers("status", stored->status, should.status);
  compare.times("start_time", stored->start_time, should.start_time);
  compare.times("execution_time", stored->execution_time, should.execution_time);
  compare.times("close_time", stored->close_time, should.close_time);
  compare.counts("history_length", stored->history_length, should.history_length, is_open(state.status()));
  compare.counts("history_size_bytes", stored->history_size_bytes, should.history_size_bytes, is_open(state.status()));
  // Answers to what a closed run had begun count as transitions still.
  compare.counts("state_transition_count", stored->state_transition_count, should.state_transition_count, true);
  compare.texts("parent_workflow_id", stored->parent_workflow_id, should.parent_workflow_id);
  compare.texts("parent_run_id", stored->parent_run_id, should.parent_run_id);
  compare.texts("root_workflow_id", stored->root_workflow_id, should.root_workflow_id);
  compare.texts("root_run_id", stored->root_run_id, should.root_run_id);
  compare.blobs("memo", stored->memo, should.memo);
  compare.blobs("search_attributes", stored->search_attributes, should.search_attributes);
  compare_attributes(*stored, state, namespaces.find(state.namespace_id()), compare);
}

}  // namespace skald::upkeep
