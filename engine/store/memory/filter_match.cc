#include "engine/store/memory/filter_match.h"

#include <algorithm>
#include <compare>
#include <string_view>
#include <type_traits>

namespace skald::store {
namespace {

// A value to look at, without a copy; monostate = not set.
using Seen = std::variant<std::monostate, std::string_view, int64_t, double>;

Seen seen(absl::Time time) {
  if (time == absl::InfinitePast() || time == absl::InfiniteFuture()) return {};
  return absl::ToUnixNanos(time);
}

Seen column_of(Column column, const VisibilityRow& row) {
  switch (column) {
    case Column::kWorkflowId:
      return std::string_view(row.key.workflow_id);
    case Column::kRunId:
      return std::string_view(row.key.run_id);
    case Column::kWorkflowType:
      return std::string_view(row.workflow_type);
    case Column::kTaskQueue:
      return std::string_view(row.task_queue);
    case Column::kStatus:
      return int64_t{row.status};
    case Column::kStartTime:
      return seen(row.start_time);
    case Column::kExecutionTime:
      return seen(row.execution_time);
    case Column::kCloseTime:
      return seen(row.close_time);
    case Column::kHistoryLength:
      return row.history_length;
    case Column::kHistorySizeBytes:
      return row.history_size_bytes;
    case Column::kStateTransitionCount:
      return row.state_transition_count;
    case Column::kParentWorkflowId:
      return std::string_view(row.parent_workflow_id);
    case Column::kParentRunId:
      return std::string_view(row.parent_run_id);
    case Column::kRootWorkflowId:
      return std::string_view(row.root_workflow_id);
    case Column::kRootRunId:
      return std::string_view(row.root_run_id);
    case Column::kCustom:
      return {};
  }
  return {};
}

// Texts compare by bytes, numbers by value; a text and a number do not compare.
std::partial_ordering compare(const Seen& left, const Value& right) {
  return std::visit(
      [](const auto& a, const auto& b) -> std::partial_ordering {
        using A = std::decay_t<decltype(a)>;
        using B = std::decay_t<decltype(b)>;
        if constexpr (std::is_same_v<A, std::string_view> && std::is_same_v<B, std::string>) {
          return a <=> std::string_view(b);
        } else if constexpr (std::is_same_v<A, int64_t> && std::is_same_v<B, int64_t>) {
          return a <=> b;
        } else if constexpr (std::is_arithmetic_v<A> && std::is_arithmetic_v<B>) {
          return static_cast<double>(a) <=> static_cast<double>(b);
        } else {
          return std::partial_ordering::unordered;
        }
      },
      left, right);
}

bool starts_with(const Seen& value, const Value& prefix) {
  const auto* text = std::get_if<std::string_view>(&value);
  const auto* start = std::get_if<std::string>(&prefix);
  return text != nullptr && start != nullptr && text->substr(0, start->size()) == *start;
}

bool is_null(const Seen& value) {
  const auto* text = std::get_if<std::string_view>(&value);
  return std::holds_alternative<std::monostate>(value) || (text != nullptr && text->empty());
}

bool satisfies(const Filter& filter, const Seen& value) {
  if (filter.comparison == Comparison::kIsNull) return is_null(value);
  if (filter.comparison == Comparison::kIn) {
    return std::any_of(filter.values.begin(), filter.values.end(),
                       [&](const Value& one) { return std::is_eq(compare(value, one)); });
  }
  if (filter.comparison == Comparison::kBetween) {
    return filter.values.size() == 2 && std::is_gteq(compare(value, filter.values[0])) &&
           std::is_lteq(compare(value, filter.values[1]));
  }
  if (filter.values.empty()) return false;
  const std::partial_ordering order = compare(value, filter.values[0]);
  switch (filter.comparison) {
    case Comparison::kEqual:
      return std::is_eq(order);
    case Comparison::kNotEqual:
      return std::is_lt(order) || std::is_gt(order);
    case Comparison::kLess:
      return std::is_lt(order);
    case Comparison::kLessEqual:
      return std::is_lteq(order);
    case Comparison::kGreater:
      return std::is_gt(order);
    case Comparison::kGreaterEqual:
      return std::is_gteq(order);
    case Comparison::kStartsWith:
      return starts_with(value, filter.values[0]);
    default:
      return false;
  }
}

std::vector<Seen> custom_values(const Field& field, const VisibilityRow& row) {
  std::vector<Seen> values;
  const auto found = row.attributes.find(field.custom_name);
  if (found == row.attributes.end()) return values;
  for (const std::string& text : found->second.texts) values.emplace_back(std::string_view(text));
  if (found->second.number) values.emplace_back(*found->second.number);
  if (found->second.real) values.emplace_back(*found->second.real);
  return values;
}

bool satisfies_custom(const Filter& filter, const VisibilityRow& row) {
  const std::vector<Seen> values = custom_values(filter.field, row);
  if (filter.comparison == Comparison::kIsNull) return values.empty();
  if (filter.comparison == Comparison::kNotEqual) {
    // Unequal means that it has a value, and none is equal.
    return !values.empty() && std::none_of(values.begin(), values.end(), [&](const Seen& value) {
      return !filter.values.empty() && std::is_eq(compare(value, filter.values[0]));
    });
  }
  return std::any_of(values.begin(), values.end(), [&](const Seen& value) { return satisfies(filter, value); });
}

}  // namespace

bool matches(const Filter& filter, const VisibilityRow& row) {
  const auto matching = [&row](const Filter& operand) { return matches(operand, row); };
  switch (filter.kind) {
    case Filter::Kind::kAll:
      return true;
    case Filter::Kind::kAnd:
      return std::all_of(filter.operands.begin(), filter.operands.end(), matching);
    case Filter::Kind::kOr:
      return std::any_of(filter.operands.begin(), filter.operands.end(), matching);
    case Filter::Kind::kNot:
      return !filter.operands.empty() && !matching(filter.operands[0]);
    case Filter::Kind::kCompare:
      return filter.field.column == Column::kCustom ? satisfies_custom(filter, row)
                                                    : satisfies(filter, column_of(filter.field.column, row));
  }
  return false;
}

}  // namespace skald::store
