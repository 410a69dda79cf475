#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

// A list filter after parsing and type checking: what a store has to find. The parser is engine/visibility.
namespace skald::store {

// The standard attributes are columns; a custom one is looked up by name.
enum class Column {
  kWorkflowId, kRunId, kWorkflowType, kTaskQueue, kStatus, kStartTime, kExecutionTime, kCloseTime, kHistoryLength,
  kHistorySizeBytes, kStateTransitionCount, kParentWorkflowId, kParentRunId, kRootWorkflowId, kRootRunId, kCustom,
};

struct Field {
  Column column = Column::kCustom;
  std::string custom_name;  // for kCustom
  int custom_type = 0;      // temporal.api.enums.v1.IndexedValueType, for kCustom
};

using Value = std::variant<std::string, int64_t, double>;  // times are Unix nanoseconds, statuses their number, Bool 0/1

enum class Comparison { kEqual, kNotEqual, kLess, kLessEqual, kGreater, kGreaterEqual, kIn, kBetween, kIsNull, kStartsWith };

struct Filter {
  enum class Kind { kAll, kCompare, kAnd, kOr, kNot };
  Kind kind = Kind::kAll;
  Field field;                        // kCompare
  Comparison comparison = Comparison::kEqual;
  std::vector<Value> values;          // one; kIn: any number; kBetween: two; kIsNull: none
  std::vector<Filter> operands;       // kAnd, kOr: any number; kNot: one
};

struct VisibilityQuery {
  std::string namespace_id;
  Filter filter;
  bool group_by_status = false;  // count only
};

struct CountGroup {
  int status = 0;  // 0 when not grouped
  int64_t count = 0;
};

}  // namespace skald::store
