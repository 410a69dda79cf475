#include "samples/demo/intake.h"

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <utility>
#include <variant>

#include <absl/strings/ascii.h>
#include <absl/strings/match.h>
#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <fmt/core.h>

namespace skald::demo {
namespace {

constexpr int64_t kMostUnits = 1'000'000;
constexpr int64_t kMostPence = 100'000'000;
constexpr size_t kLongestId = 64;
constexpr size_t kLongestShown = 40;

enum Column { kInvoice, kSku, kQuantity, kPrice, kCustomer, kCountry, kColumns };
constexpr std::array<const char*, kColumns> kNames = {"InvoiceNo", "StockCode",  "Quantity",
                                                      "UnitPrice", "CustomerID", "Country"};
// Codes of postage, discounts, samples and corrections.
const std::set<std::string> kNotGoods = {"POST", "D",    "M",    "DOT",          "S",        "B",
                                         "C2",   "CRUK", "PADS", "BANK CHARGES", "AMAZONFEE"};

std::string shown(const std::string& text) {
  std::string printable;
  for (const char c : text.substr(0, kLongestShown))
    printable += absl::ascii_isprint(static_cast<unsigned char>(c)) ? c : '?';
  return absl::StrCat("'", printable, text.size() > kLongestShown ? "…'" : "'");
}

// Printable ASCII of a sensible length: it becomes part of a workflow's id.
bool is_id(const std::string& text) {
  return !text.empty() && text.size() <= kLongestId && std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isprint(static_cast<unsigned char>(c));
  });
}

// "4.65" as 465, exactly; from the third digit on it is rounded, half up.
std::optional<int64_t> pence_of(const std::string& text) {
  const size_t point = std::min(text.find('.'), text.size());
  const std::string whole = text.substr(0, point);
  std::string part = point < text.size() ? text.substr(point + 1) : "";
  const bool digits = std::all_of(part.begin(), part.end(), absl::ascii_isdigit);
  int64_t pounds = 0;
  if (whole.empty() || !digits || !absl::SimpleAtoi(whole, &pounds) || std::abs(pounds) > kMostPence)
    return std::nullopt;
  part.resize(3, '0');
  const int64_t tenths =
      pounds * 1000 + (whole[0] == '-' ? -1 : 1) * ((part[0] - '0') * 100 + (part[1] - '0') * 10 + (part[2] - '0'));
  return (tenths + 5) / 10;
}

struct Line {
  std::string invoice, sku, customer, country;
  int64_t units = 0;  // positive
  int64_t pence = 0;
  bool is_return = false;
};

class Reader {
 public:
  absl::Status read_header(const CsvRow& row) {
    for (size_t column = 0; column < kColumns; ++column) {
      const auto found = std::find_if(row.fields.begin(), row.fields.end(), [&](const std::string& name) {
        return absl::EqualsIgnoreCase(name, kNames[column]);
      });
      if (found == row.fields.end())
        return absl::InvalidArgumentError(
            absl::StrCat("line ", row.line, ": this is no file of orders: the column ", kNames[column], " is missing"));
      places_[column] = static_cast<size_t>(found - row.fields.begin());
    }
    width_ = row.fields.size();
    return absl::OkStatus();
  }

  // The line, or why it is none.
  std::variant<Line, std::string> read(const CsvRow& row) const {
    if (!row.problem.empty()) return row.problem;
    if (row.fields.size() != width_) return fmt::format("{} columns instead of {}", row.fields.size(), width_);
    const auto field = [&](Column column) {
      return std::string(absl::StripAsciiWhitespace(row.fields[places_[column]]));
    };
    Line line{field(kInvoice), absl::AsciiStrToUpper(field(kSku)), field(kCustomer), field(kCountry)};
    if (!is_id(line.invoice))
      return fmt::format("invoice number {} is empty, too long or unreadable", shown(line.invoice));
    if (!is_id(line.sku)) return fmt::format("stock code {} is empty, too long or unreadable", shown(line.sku));
    if (kNotGoods.contains(line.sku)) return fmt::format("{} is no goods", line.sku);
    line.is_return = line.invoice[0] == 'C' || line.invoice[0] == 'c';
    if (!absl::SimpleAtoi(field(kQuantity), &line.units))
      return fmt::format("quantity {} is no whole number", shown(field(kQuantity)));
    if (line.is_return) line.units = line.units > -kMostUnits ? -line.units : 0;
    if (line.units <= 0 || line.units > kMostUnits) {
      return fmt::format("quantity {} cannot be {}", shown(field(kQuantity)),
                         line.is_return ? "given back: it must be negative" : "sold");
    }
    const auto pence = pence_of(field(kPrice));
    if (!pence) return fmt::format("price {} is no number", shown(field(kPrice)));
    if (*pence <= 0 || *pence > kMostPence) return fmt::format("price {} cannot be charged", shown(field(kPrice)));
    line.pence = *pence;
    return line;
  }

 private:
  std::array<size_t, kColumns> places_{};
  size_t width_ = 0;
};

class Collector {
 public:
  // Why the line cannot be taken; empty if it was.
  std::string add(const Line& line) { return line.is_return ? give_back(line) : sell(line); }

  Intake take() && {
    for (const std::string& id : sequence_) intake_.orders.push_back(std::move(sales_.at(id).order));
    for (auto& [id, gone] : returns_) intake_.returns.push_back(std::move(gone));
    return std::move(intake_);
  }
  void complain(int line, std::string reason) { intake_.complaints.push_back({line, std::move(reason)}); }

 private:
  struct Sale {
    Order order;
    std::string customer;
    std::map<std::pair<std::string, int64_t>, int64_t> kept;  // units by SKU and price that were not given back
  };

  std::string sell(const Line& line) {
    auto [sale, is_new] = sales_.try_emplace(line.invoice);
    if (is_new) {
      sequence_.push_back(line.invoice);
      sale->second.order.id = line.invoice;
      sale->second.order.country = line.country;
      sale->second.customer = line.customer;
    }
    sale->second.order.items[line.sku] += line.units;
    sale->second.order.total += line.units * line.pence;
    sale->second.kept[{line.sku, line.pence}] += line.units;
    return "";
  }

  std::string give_back(const Line& line) {
    if (line.customer.empty()) return "a cancellation without a customer: which order it belongs to cannot be told";
    for (auto id = sequence_.rbegin(); id != sequence_.rend(); ++id) {
      Sale& sale = sales_.at(*id);
      if (sale.customer != line.customer) continue;
      const auto kept = sale.kept.find({line.sku, line.pence});
      if (kept == sale.kept.end() || kept->second < line.units) continue;
      kept->second -= line.units;
      Return& gone = returns_[line.invoice + "-" + *id];
      gone.id = line.invoice;
      gone.order_id = *id;
      gone.items[line.sku] += line.units;
      gone.amount += line.units * line.pence;
      return "";
    }
    return fmt::format("a cancellation, but no earlier order of customer {} holds {} of {} at that price",
                       shown(line.customer), line.units, line.sku);
  }

  Intake intake_;
  std::map<std::string, Sale> sales_;
  std::vector<std::string> sequence_;  // invoices as they came
  std::map<std::string, Return> returns_;
};

}  // namespace

absl::StatusOr<Intake> take_in(const std::vector<CsvRow>& rows) {
  if (rows.empty()) return absl::InvalidArgumentError("the file is empty");
  Reader reader;
  if (auto status = reader.read_header(rows[0]); !status.ok()) return status;
  Collector collector;
  for (size_t i = 1; i < rows.size(); ++i) {
    auto line = reader.read(rows[i]);
    std::string problem =
        std::holds_alternative<Line>(line) ? collector.add(std::get<Line>(line)) : std::get<std::string>(line);
    if (!problem.empty()) collector.complain(rows[i].line, std::move(problem));
  }
  return std::move(collector).take();
}

}  // namespace skald::demo
