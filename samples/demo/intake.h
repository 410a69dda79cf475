#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <absl/status/statusor.h>

#include "samples/demo/csv_file.h"

namespace skald::demo {

// An invoice. Money is in minor units (pence).
struct Order {
  std::string id;
  std::string country;
  std::map<std::string, int64_t> items;  // units by SKU
  int64_t total = 0;
  std::string sandbox;  // JSON: what goes wrong with it; empty = nothing
};

// Goods of an order come back, money goes back.
struct Return {
  std::string id;
  std::string order_id;
  std::map<std::string, int64_t> items;
  int64_t amount = 0;
};

struct Complaint {
  int line = 0;
  std::string reason;
};

struct Intake {
  std::vector<Order> orders;
  std::vector<Return> returns;
  std::vector<Complaint> complaints;  // of every line that is no part of an order or a return
};

// Orders as shops export them: InvoiceNo, StockCode, Description, Quantity, InvoiceDate, UnitPrice, CustomerID, Country
// (the columns of the "Online Retail" data set). An invoice is an order, a line an item; an invoice that begins with C
// gives back items of the customer's latest earlier order that has them at that price. INVALID_ARGUMENT if the first
// row does not name these columns.
absl::StatusOr<Intake> take_in(const std::vector<CsvRow>& rows);

}  // namespace skald::demo
