#include "samples/demo/csv_file.h"

#include <gmock/gmock.h>

namespace skald::demo {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

TEST(ParseCsv, KnowsWhereEachRowStands) {
  const auto rows = parse_csv("a,b\n\n1,2\r\n3,4");
  ASSERT_THAT(rows, SizeIs(3));
  EXPECT_THAT(rows[0].fields, ElementsAre("a", "b"));
  EXPECT_EQ(rows[1].line, 3);
  EXPECT_THAT(rows[1].fields, ElementsAre("1", "2"));
  EXPECT_EQ(rows[2].line, 4);
  EXPECT_THAT(rows[2].fields, ElementsAre("3", "4"));
}

TEST(ParseCsv, ReadsQuotesCommasAndLineBreaksWithinFields) {
  const auto rows = parse_csv("\"a, \"\"b\"\"\nc\",d\nx,y\n");
  ASSERT_THAT(rows, SizeIs(2));
  EXPECT_THAT(rows[0].fields, ElementsAre("a, \"b\"\nc", "d"));
  EXPECT_EQ(rows[1].line, 3);
}

TEST(ParseCsv, LosesOneLineToAQuoteThatIsNotClosed) {
  const auto rows = parse_csv("a,b\n1,\"2\n3,4\n5,6\n");
  ASSERT_THAT(rows, SizeIs(4));
  EXPECT_EQ(rows[1].line, 2);
  EXPECT_EQ(rows[1].problem, "a quote is opened and not closed");
  EXPECT_THAT(rows[1].fields, IsEmpty());
  EXPECT_THAT(rows[3].fields, ElementsAre("5", "6"));
}

TEST(ParseCsv, SkipsAByteOrderMark) {
  EXPECT_THAT(parse_csv("\xEF\xBB\xBFInvoiceNo\n")[0].fields, ElementsAre("InvoiceNo"));
}

TEST(ParseCsv, FindsNothingInNothing) { EXPECT_THAT(parse_csv(""), IsEmpty()); }

TEST(ReadFile, SaysWhichFileIsMissing) {
  EXPECT_THAT(std::string(read_file("/nowhere/orders.csv").status().message()),
              testing::HasSubstr("/nowhere/orders.csv"));
}

}  // namespace
}  // namespace skald::demo
