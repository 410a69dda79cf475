#include "engine/visibility/filter.h"

#include "temporal/api/enums/v1/common.pb.h"
#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace skald::visibility {
namespace {

namespace enums = temporal::api::enums::v1;
using store::Filter;

const std::map<std::string, int>& custom() {
  static const auto* attributes = new std::map<std::string, int>{
      {"Amount", enums::INDEXED_VALUE_TYPE_INT}, {"Rate", enums::INDEXED_VALUE_TYPE_DOUBLE},
      {"Paid", enums::INDEXED_VALUE_TYPE_BOOL},  {"Tags", enums::INDEXED_VALUE_TYPE_KEYWORD_LIST},
      {"Note", enums::INDEXED_VALUE_TYPE_TEXT},  {"City", enums::INDEXED_VALUE_TYPE_KEYWORD}};
  return *attributes;
}

std::string text_of(const store::Value& value) {
  return std::visit([](const auto& held) { return absl::StrCat(held); }, value);
}

// A short form of a filter's tree: column number or custom name, comparison number, values.
std::string shape(const Filter& filter) {
  std::vector<std::string> parts;
  for (const Filter& operand : filter.operands) parts.push_back(shape(operand));
  switch (filter.kind) {
    case Filter::Kind::kAll:
      return "all";
    case Filter::Kind::kAnd:
      return absl::StrCat("(", absl::StrJoin(parts, " & "), ")");
    case Filter::Kind::kOr:
      return absl::StrCat("(", absl::StrJoin(parts, " | "), ")");
    case Filter::Kind::kNot:
      return absl::StrCat("!", parts[0]);
    case Filter::Kind::kCompare:
      break;
  }
  constexpr const char* kSigns[] = {"=", "!=", "<", "<=", ">", ">=", " in ", " between ", " null", " starts "};
  std::vector<std::string> values;
  for (const store::Value& value : filter.values) values.push_back(text_of(value));
  const std::string field = filter.field.column == store::Column::kCustom
                                ? filter.field.custom_name
                                : absl::StrCat("c", static_cast<int>(filter.field.column));
  return absl::StrCat(field, kSigns[static_cast<int>(filter.comparison)], absl::StrJoin(values, ","));
}

std::string parsed(const std::string& query) {
  const auto filter = parse_filter(query, custom());
  return filter.ok() ? shape(*filter) : std::string(filter.status().message());
}

TEST(Filter, IsParsedIntoItsTree) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "all"},
      {"  ", "all"},
      {"WorkflowId = 'a b'", "c0=a b"},
      {"`WorkflowId`=\"it's\"", "c0=it's"},
      {"WorkflowId = 'it''s'", "c0=it's"},
      {"WorkflowType != 'Order'", "c2!=Order"},
      {"ExecutionStatus = 'Running'", "c4=1"},
      {"ExecutionStatus = 2", "c4=2"},
      {"ExecutionStatus IN ('Failed', \"TimedOut\")", "c4 in 3,7"},
      {"StartTime > '1970-01-01T00:00:01Z'", "c5>1000000000"},
      {"StartTime BETWEEN 5 AND 7 AND HistoryLength <= 9", "(c5 between 5,7 & c8<=9)"},
      {"CloseTime IS NULL", "c7 null"},
      {"CloseTime is not null", "!c7 null"},
      {"WorkflowId STARTS_WITH 'order-'", "c0 starts order-"},
      {"WorkflowId NOT STARTS_WITH 'order-'", "!c0 starts order-"},
      {"WorkflowId NOT IN ('a','b')", "!c0 in a,b"},
      {"RunId='1' OR RunId='2' AND TaskQueue='q'", "(c1=1 | (c1=2 & c3=q))"},
      {"(RunId='1' OR RunId='2') AND TaskQueue='q'", "((c1=1 | c1=2) & c3=q)"},
      {"NOT (RunId='1') and not RunId='2'", "(!c1=1 & !c1=2)"},
      {"Amount >= 10", "Amount>=10"},
      {"Rate < 0.5", "Rate<0.5"},
      {"Paid = true", "Paid=1"},
      {"Tags IN ('x')", "Tags in x"},
  };
  for (const auto& [query, expected] : cases) EXPECT_EQ(parsed(query), expected) << query;
}

TEST(Filter, ErrorsSayWhatIsWrongAndWhere) {
  const std::pair<const char*, const char*> cases[] = {
      {"Nothing = 1", "search attribute Nothing is not defined"},
      {"WorkflowId", "character 11: expected ="},
      {"WorkflowId = ", "expected a value for WorkflowId"},
      {"WorkflowId = 'a", "character 14: the quote is not closed"},
      {"ExecutionStatus = 'Sleeping'", "character 19: \"Sleeping\" is no value for ExecutionStatus"},
      {"StartTime > 'yesterday'", "\"yesterday\" is no value for StartTime"},
      {"HistoryLength = many", "an integer"},
      {"Amount STARTS_WITH '1'", "Amount cannot be compared in this way"},
      {"Note > 'a'", "Note cannot be compared in this way"},
      {"Tags > 'a'", "Tags cannot be compared in this way"},
      {"(RunId='1'", "expected AND, OR or )"},
      {"RunId='1')", "expected AND, OR or the end"},
      {"RunId='1' AND", "expected the name of a search attribute"},
      {"RunId IN 'a'", "expected ( after IN"},
      {"StartTime BETWEEN 1", "upper end of BETWEEN"},
      {"RunId NOT = 'a'", "expected ="},
      {"RunId='1' ORDER BY StartTime", "ORDER is not supported here"},
      {"ORDER BY StartTime", "ORDER is not supported here"},
  };
  for (const auto& [query, expected] : cases) {
    const auto filter = parse_filter(query, custom());
    EXPECT_EQ(filter.status().code(), absl::StatusCode::kInvalidArgument) << query;
    EXPECT_THAT(parsed(query), testing::HasSubstr(expected)) << query;
  }
}

TEST(Filter, LengthAndDepthAreBounded) {
  EXPECT_THAT(parsed(std::string(20'000, ' ')), testing::HasSubstr("longer than"));
  EXPECT_THAT(parsed(std::string(2'000, '(')), testing::HasSubstr("nested more than"));
}

TEST(Filter, CountsAreGroupedByStatusOnly) {
  const auto grouped = parse_count("WorkflowType='Order' GROUP BY ExecutionStatus", custom());
  ASSERT_TRUE(grouped.ok()) << grouped.status();
  EXPECT_TRUE(grouped->group_by_status);
  EXPECT_EQ(shape(grouped->filter), "c2=Order");
  EXPECT_TRUE(parse_count("GROUP BY ExecutionStatus", custom())->group_by_status);
  EXPECT_FALSE(parse_count("RunId='1' OR RunId='2'", custom())->group_by_status);
  EXPECT_EQ(parse_count("GROUP BY WorkflowType", custom()).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace skald::visibility
