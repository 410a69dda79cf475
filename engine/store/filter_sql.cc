#include "engine/store/filter_sql.h"

#include <absl/strings/str_cat.h>

namespace skald::store {
namespace {

const char* column_name(Column column) {
  switch (column) {
    case Column::kWorkflowId:
      return "v.workflow_id";
    case Column::kRunId:
      return "v.run_id";
    case Column::kWorkflowType:
      return "v.workflow_type";
    case Column::kTaskQueue:
      return "v.task_queue";
    case Column::kStatus:
      return "v.status";
    case Column::kStartTime:
      return "v.start_time";
    case Column::kExecutionTime:
      return "v.execution_time";
    case Column::kCloseTime:
      return "v.close_time";
    case Column::kHistoryLength:
      return "v.history_length";
    case Column::kHistorySizeBytes:
      return "v.history_size_bytes";
    case Column::kStateTransitionCount:
      return "v.state_transition_count";
    case Column::kParentWorkflowId:
      return "v.parent_workflow_id";
    case Column::kParentRunId:
      return "v.parent_run_id";
    case Column::kRootWorkflowId:
      return "v.root_workflow_id";
    case Column::kRootRunId:
      return "v.root_run_id";
    case Column::kCustom:
      return "";
  }
  return "";
}

bool is_text(Column column) {
  switch (column) {
    case Column::kStatus:
    case Column::kStartTime:
    case Column::kExecutionTime:
    case Column::kCloseTime:
    case Column::kHistoryLength:
    case Column::kHistorySizeBytes:
    case Column::kStateTransitionCount:
      return false;
    default:
      return true;
  }
}

const char* value_column(const Value& value) {
  if (std::holds_alternative<std::string>(value)) return "a.text";
  return std::holds_alternative<int64_t>(value) ? "a.number" : "a.real";
}

}  // namespace

std::string FilterSql::condition(const Filter& filter) {
  switch (filter.kind) {
    case Filter::Kind::kAll:
      return "1";
    case Filter::Kind::kAnd:
      return joined(filter, " AND ", "1");
    case Filter::Kind::kOr:
      return joined(filter, " OR ", "0");
    case Filter::Kind::kNot:
      return filter.operands.empty() ? "0" : absl::StrCat("NOT coalesce(", condition(filter.operands[0]), ", 0)");
    case Filter::Kind::kCompare:
      return comparison(filter);
  }
  return "0";
}

std::string FilterSql::joined(const Filter& filter, const char* with, const char* none) {
  std::string sql;
  for (const Filter& operand : filter.operands) absl::StrAppend(&sql, sql.empty() ? "(" : with, condition(operand));
  return sql.empty() ? none : sql + ")";
}

std::string FilterSql::comparison(const Filter& filter) {
  if (filter.field.column != Column::kCustom) return compared(filter, column_name(filter.field.column));
  const std::string exists =
      "(SELECT 1 FROM search_attributes a WHERE a.namespace_id = v.namespace_id AND a.run_id = v.run_id AND a.name = ";
  if (filter.comparison == Comparison::kIsNull)
    return absl::StrCat("NOT EXISTS ", exists, placeholder(filter.field.custom_name), ")");
  // Unequal means that it has a value, and none is equal.
  if (filter.comparison == Comparison::kNotEqual) {
    Filter equal = filter;
    equal.comparison = Comparison::kEqual;
    const std::string any = absl::StrCat("EXISTS ", exists, placeholder(filter.field.custom_name), ")");
    return absl::StrCat("(", any, " AND NOT ", comparison(equal), ")");
  }
  if (filter.values.empty()) return "0";
  const std::string name = placeholder(filter.field.custom_name);
  return absl::StrCat("EXISTS ", exists, name, " AND ", compared(filter, value_column(filter.values[0])), ")");
}

std::string FilterSql::compared(const Filter& filter, const std::string& column) {
  const auto with = [&](const char* sign) {
    return filter.values.empty() ? std::string("0") : absl::StrCat(column, sign, placeholder(filter.values[0]));
  };
  switch (filter.comparison) {
    case Comparison::kEqual:
      return with(" = ");
    case Comparison::kNotEqual:
      return with(" <> ");
    case Comparison::kLess:
      return with(" < ");
    case Comparison::kLessEqual:
      return with(" <= ");
    case Comparison::kGreater:
      return with(" > ");
    case Comparison::kGreaterEqual:
      return with(" >= ");
    case Comparison::kIsNull:
      return is_text(filter.field.column) ? absl::StrCat("(", column, " IS NULL OR ", column, " = '')")
                                          : absl::StrCat(column, " IS NULL");
    case Comparison::kBetween: {
      if (filter.values.size() != 2) return "0";
      const std::string from = with(" >= ");
      return absl::StrCat("(", from, " AND ", column, " <= ", placeholder(filter.values[1]), ")");
    }
    case Comparison::kIn: {
      if (filter.values.empty()) return "0";
      std::string list;
      for (const Value& value : filter.values) absl::StrAppend(&list, list.empty() ? "" : ", ", placeholder(value));
      return absl::StrCat(column, " IN (", list, ")");
    }
    case Comparison::kStartsWith: {
      if (filter.values.empty()) return "0";
      const std::string length = placeholder(filter.values[0]);
      return absl::StrCat("substr(", column, ", 1, length(", length, ")) = ", placeholder(filter.values[0]));
    }
  }
  return "0";
}

std::string FilterSql::placeholder(Value value) {
  values_.push_back(std::move(value));
  return "?";
}

}  // namespace skald::store
