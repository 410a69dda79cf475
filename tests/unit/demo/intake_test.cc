#include "samples/demo/intake.h"

#include <gmock/gmock.h>

namespace skald::demo {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;

constexpr char kHeader[] = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n";

Intake taken(const std::string& lines) {
  auto intake = take_in(parse_csv(kHeader + lines));
  EXPECT_TRUE(intake.ok()) << intake.status();
  return *std::move(intake);
}

// The reason why a line is no part of an order.
std::string complaint(const std::string& line) {
  const Intake intake = taken(line + "\n");
  EXPECT_THAT(intake.orders, IsEmpty());
  EXPECT_THAT(intake.complaints, SizeIs(1));
  EXPECT_EQ(intake.complaints[0].line, 2);
  return intake.complaints[0].reason;
}

TEST(TakeIn, MakesAnOrderOfAnInvoiceAndItemsOfItsLines) {
  const Intake intake = taken(
      "1,A,\"TEA, GREEN\",2,1/1/26 8:00,4.65,77,France\n1,BB,,1,1/1/26 8:00,10,77,France\n1,A,,1,1/1/26 "
      "8:00,4.65,77,France\n2,A,,5,1/1/26 9:00,0.29,,EIRE\n");
  ASSERT_THAT(intake.orders, SizeIs(2));
  EXPECT_EQ(intake.orders[0].id, "1");
  EXPECT_EQ(intake.orders[0].country, "France");
  EXPECT_THAT(intake.orders[0].items, ElementsAre(Pair("A", 3), Pair("BB", 1)));
  EXPECT_EQ(intake.orders[0].total, 3 * 465 + 1000);
  EXPECT_EQ(intake.orders[1].total, 5 * 29);
  EXPECT_THAT(intake.complaints, IsEmpty());
}

TEST(TakeIn, GivesBackItemsOfTheCustomersLatestOrderThatHasThem) {
  const Intake intake = taken("1,A,,6,d,4.25,77,x\n2,A,,6,d,4.25,77,x\nC3,A,,-4,d,4.25,77,x\nC4,A,,-4,d,4.25,77,x\n");
  ASSERT_THAT(intake.returns, SizeIs(2));
  EXPECT_EQ(intake.returns[0].id, "C3");
  EXPECT_EQ(intake.returns[0].order_id, "2");
  EXPECT_EQ(intake.returns[0].amount, 4 * 425);
  EXPECT_EQ(intake.returns[1].order_id, "1") << "of order 2 only two are left";
}

TEST(TakeIn, SaysWhyACancellationBelongsToNoOrder) {
  EXPECT_THAT(complaint("C3,A,,-4,d,4.25,77,x"), HasSubstr("no earlier order of customer '77' holds 4 of A"));
  EXPECT_THAT(complaint("C3,A,,-4,d,4.25,,x"), HasSubstr("without a customer"));
  EXPECT_THAT(complaint("C3,A,,4,d,4.25,77,x"), HasSubstr("must be negative"));
}

TEST(TakeIn, SaysWhyALineIsNoItem) {
  EXPECT_THAT(complaint("1,POST,,1,d,4,7,x"), "POST is no goods");
  EXPECT_THAT(complaint(",A,,1,d,4,7,x"), HasSubstr("invoice number ''"));
  EXPECT_THAT(complaint("1,,,1,d,4,7,x"), HasSubstr("stock code ''"));
  EXPECT_THAT(complaint("1,A,,-3,d,4,7,x"), HasSubstr("'-3' cannot be sold"));
  EXPECT_THAT(complaint("1,A,,0,d,4,7,x"), HasSubstr("'0' cannot be sold"));
  EXPECT_THAT(complaint("1,A,,many,d,4,7,x"), HasSubstr("'many' is no whole number"));
  EXPECT_THAT(complaint("1,A,,99999999999999999999,d,4,7,x"), HasSubstr("no whole number"));
  EXPECT_THAT(complaint("1,A,,1,d,free,7,x"), HasSubstr("'free' is no number"));
  EXPECT_THAT(complaint("1,A,,1,d,nan,7,x"), HasSubstr("no number"));
  EXPECT_THAT(complaint("1,A,,1,d,0,7,x"), HasSubstr("'0' cannot be charged"));
  EXPECT_THAT(complaint("1,A,,1,d,1000001,7,x"), HasSubstr("cannot be charged"));
  EXPECT_THAT(complaint("1,A,1,d,4,7,x"), "7 columns instead of 8");
  EXPECT_THAT(complaint("1,A\xff,,1,d,4,7,x"), HasSubstr("'A?' is empty, too long or unreadable"));
  EXPECT_THAT(complaint("1,A,\"b,1,d,4,7,x"), HasSubstr("quote"));
}

TEST(TakeIn, ReadsPricesExactly) {
  const auto total = [](const std::string& price) { return taken("1,A,,1,d," + price + ",7,x\n").orders.at(0).total; };
  EXPECT_EQ(total("0.29"), 29);
  EXPECT_EQ(total("1.005"), 101);
  EXPECT_EQ(total("1.0049"), 100);
  EXPECT_EQ(total("12"), 1200);
  EXPECT_EQ(total("12.5"), 1250);
  EXPECT_THAT(complaint("1,A,,1,d,1e2,7,x"), HasSubstr("no number"));
  EXPECT_THAT(complaint("1,A,,1,d,.5,7,x"), HasSubstr("no number"));
}

TEST(TakeIn, FindsColumnsByTheirNames) {
  const auto intake =
      take_in(parse_csv("Country,unitprice,CustomerID,Quantity,StockCode,InvoiceNo,Extra\nFrance,1.50,7,2,A,1,?\n"));
  ASSERT_TRUE(intake.ok());
  EXPECT_EQ(intake->orders.at(0).total, 300);
}

TEST(TakeIn, RefusesAFileThatIsNotOfOrders) {
  EXPECT_THAT(std::string(take_in(parse_csv("a,b\n")).status().message()),
              HasSubstr("the column InvoiceNo is missing"));
  EXPECT_FALSE(take_in({}).ok());
}

}  // namespace
}  // namespace skald::demo
