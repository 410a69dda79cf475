#include "engine/visibility/filter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "temporal/api/enums/v1/common.pb.h"

namespace skald::visibility {
namespace {

using ::testing::HasSubstr;

const std::map<std::string, int> kCustom = {{"Shop", temporal::api::enums::v1::INDEXED_VALUE_TYPE_KEYWORD},
                                            {"Items", temporal::api::enums::v1::INDEXED_VALUE_TYPE_INT}};

TEST(Filter, EmptyTextFindsEverything) {
  const auto filter = parse_filter("  ", kCustom);
  ASSERT_TRUE(filter.ok()) << filter.status();
  EXPECT_EQ(filter->kind, store::Filter::Kind::kAll);
}

TEST(Filter, JoinsComparisonsByAnd) {
  const auto filter = parse_filter("WorkflowType = 'order' AND ExecutionStatus = \"Running\" and `Items` != 3", kCustom);
  ASSERT_TRUE(filter.ok()) << filter.status();
  ASSERT_EQ(filter->operands.size(), 3u);
  EXPECT_EQ(filter->operands[0].field.column, store::Column::kWorkflowType);
  EXPECT_EQ(std::get<std::string>(filter->operands[0].values[0]), "order");
  EXPECT_EQ(std::get<int64_t>(filter->operands[1].values[0]), 1);
  EXPECT_EQ(filter->operands[2].comparison, store::Comparison::kNotEqual);
  EXPECT_EQ(std::get<int64_t>(filter->operands[2].values[0]), 3);
}

struct BadFilter {
  const char* text;
  const char* says;
};

class BadFilters : public ::testing::TestWithParam<BadFilter> {};

TEST_P(BadFilters, AreRefusedWithTheReason) {
  const auto filter = parse_filter(GetParam().text, kCustom);
  ASSERT_FALSE(filter.ok());
  EXPECT_EQ(filter.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(filter.status().message()), HasSubstr(GetParam().says));
}

INSTANTIATE_TEST_SUITE_P(Cases, BadFilters,
                         ::testing::Values(BadFilter{"Nonsense = 'x'", "search attribute Nonsense is not defined"},
                                           BadFilter{"WorkflowId = 'x", "the quote is not closed"},
                                           BadFilter{"ExecutionStatus = 'Sleeping'", "no execution status"},
                                           BadFilter{"WorkflowId = 'x' OR RunId = 'y'", "OR is not implemented"},
                                           BadFilter{"HistoryLength > 3", "expected AND or the end"}, BadFilter{"Items = 'many'", "is a number"},
                                           BadFilter{"StartTime = 'yesterday'", "is no time"}, BadFilter{"=", "expected the name"},
                                           BadFilter{"(WorkflowId = 'x')", "parentheses are not implemented"},
                                           BadFilter{"WorkflowId =", "expected a value"}));

TEST(Count, GroupsByExecutionStatus) {
  const auto query = parse_count("WorkflowType = 'order' GROUP BY ExecutionStatus", kCustom);
  ASSERT_TRUE(query.ok()) << query.status();
  EXPECT_TRUE(query->group_by_status);
  EXPECT_FALSE(parse_count("GROUP BY WorkflowType", kCustom).ok());
}

}  // namespace
}  // namespace skald::visibility
