#include "samples/demo/merchant.h"

#include <array>

#include <fmt/core.h>

#include "engine/base/random.h"

namespace skald::demo {
namespace {

constexpr std::array kTroubles = {
    R"({"reserve":{"fault":"fail","type":"Damaged","message":"the last one fell off the shelf"}})",
    R"({"charge":"lose_answer"})",
    R"({"charge":{"fault":"fail","type":"CardDeclined","message":"the bank said no"}})",
    R"({"create_waybill":{"fault":"fail","times":2}})",
    R"({"create_waybill":{"fault":"fail","type":"AddressUnknown","message":"the carrier cannot find the address"}})",
    R"({"reserve":"lose_answer"})",
    R"({"confirm":{"fault":"fail","type":"ParcelLost","message":"the parcel was crushed on its way out"}})",
    R"({"confirm":{"fault":"delay","ms":300}})",
};
constexpr size_t kTroubledOrders = 12;  // every so many orders
constexpr size_t kRegrettedOrders = 25;
constexpr char kSlowCharge[] = R"({"charge":{"fault":"delay","ms":200}})";

constexpr std::array kCountries = {"United Kingdom", "France", "Germany", "Norway", "EIRE"};
struct Article {
  const char* sku;
  const char* name;
  int pence;
};
constexpr std::array<Article, 12> kArticles = {{{"T100", "ASSAM, 250 G", 695},
                                                {"T101", "DARJEELING, FIRST FLUSH", 1250},
                                                {"T102", "EARL GREY", 575},
                                                {"T103", "ROOIBOS", 450},
                                                {"P200", "TEAPOT, STONEWARE", 3400},
                                                {"P201", "TEAPOT, CAST IRON", 5900},
                                                {"P202", "MUG \"GOOD MORNING\"", 850},
                                                {"P203", "SAUCER, BLUE", 395},
                                                {"K300", "STRAINER", 725},
                                                {"K301", "TEA TIN", 1100},
                                                {"K302", "HONEY DIPPER", 320},
                                                {"K303", "TRAY, OAK", 2750}}};

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + "\"";
}

std::string row(const std::string& invoice, const Article& article, int64_t units, int customer, const char* country) {
  return fmt::format("{},{},{},{},11/{}/26 {}:{:02},{}.{:02},{},{}\n", invoice, article.sku, quoted(article.name),
                     units, 1 + customer % 28, 8 + customer % 10, customer % 60, article.pence / 100,
                     article.pence % 100, customer, country);
}

}  // namespace

std::set<std::string> add_troubles(Intake& intake) {
  std::set<std::string> regretted;
  for (size_t i = 0; i < intake.orders.size(); ++i) {
    Order& order = intake.orders[i];
    if (i % kRegrettedOrders == kRegrettedOrders - 1) {
      regretted.insert(order.id);
      order.sandbox = kSlowCharge;
    } else if (i % kTroubledOrders == 0) {
      order.sandbox = kTroubles[i / kTroubledOrders % kTroubles.size()];
    }
  }
  return regretted;
}

std::string merchant_csv(int count) {
  std::string csv = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n";
  const auto dice = base::make_seeded_random(1885);
  for (int i = 0; i < count; ++i) {
    const std::string invoice = fmt::format("M{:05}", i + 1);
    const int customer = 10'000 + i;
    const char* country = kCountries[dice->below(kCountries.size())];
    const Article* last = nullptr;
    int64_t units = 0;
    for (uint64_t line = 0; line <= dice->below(4); ++line) {
      last = &kArticles[dice->below(kArticles.size())];
      units = static_cast<int64_t>(1 + dice->below(6));
      csv += row(invoice, *last, units, customer, country);
    }
    if (i % 20 == 10) csv += row(fmt::format("CM{:05}", i + 1), *last, -1, customer, country);
    if (i % 400 == 50)
      csv += fmt::format("{},POST,\"POSTAGE\",1,11/1/26 8:00,4.00,{},{}\n", invoice, customer, country);
  }
  return csv;
}

}  // namespace skald::demo
