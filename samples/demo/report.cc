#include "samples/demo/report.h"

#include <algorithm>
#include <map>

#include <absl/strings/str_cat.h>
#include <fmt/core.h>
#include <nlohmann/json.hpp>

namespace skald::demo {
namespace {

using nlohmann::json;

void line(const std::string& name, const std::string& value) { fmt::print("  {:<34}{:>16}\n", name, value); }

// "GBP 1,234.05"
std::string pounds(int64_t pence) {
  const std::string digits = fmt::format("{}", pence / 100);
  std::string grouped;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) grouped += ',';
    grouped += digits[i];
  }
  return fmt::format("GBP {}.{:02}", grouped, pence % 100);
}

std::string yes(bool good) { return good ? "yes" : "NO"; }

bool print_books(const json& audit, const std::string& part, const std::vector<std::string>& sums, bool money) {
  const json books = audit.value(part, json::object());
  for (const std::string& name : sums) {
    if (!books.contains(name) || !books[name].is_number_integer()) continue;
    line(name, money ? pounds(books[name]) : fmt::format("{}", books[name].get<int64_t>()));
  }
  const bool balanced = books.value("balanced", false);
  line("balanced", yes(balanced));
  return balanced;
}

}  // namespace

bool print_report(const Intake& intake, const Day& day, const std::string& audit_text,
                  const std::map<std::string, int>& killed) {
  std::map<std::string, int> outcomes, compensations;
  std::map<std::string, std::string> by_workflow;
  std::vector<absl::Duration> latencies;
  for (const Ending& ending : day.endings()) {
    ++outcomes[ending.outcome];
    by_workflow[ending.workflow_id] = ending.outcome;
    for (const std::string& name : ending.compensations) ++compensations[name];
    latencies.push_back(ending.latency);
  }
  std::sort(latencies.begin(), latencies.end());
  int64_t captured = 0, refunded = 0;  // of what was kept or given back, as the orders' outcomes say
  for (const Order& order : intake.orders) captured += by_workflow[workflow_of(order)] == "confirmed" ? order.total : 0;
  for (const Return& gone : intake.returns) refunded += by_workflow[workflow_of(gone)] == "returned" ? gone.amount : 0;

  fmt::print("\norders and returns by outcome\n");
  for (const auto& [outcome, count] : outcomes) line(outcome, absl::StrCat(count));
  if (!intake.complaints.empty()) line("lines that are no orders", absl::StrCat(intake.complaints.size()));
  fmt::print("compensations done\n");
  for (const auto& [name, count] : compensations) line(name, absl::StrCat(count));
  if (compensations.empty()) line("none", "");

  const json audit = json::parse(audit_text, nullptr, false);
  if (!audit.is_object()) {
    fmt::print("the books could not be read: {}\n", audit_text);
    return false;
  }
  fmt::print("stock, units\n");
  bool good = print_books(audit, "stock", {"loaded", "on_hand", "reserved", "shipped", "returned"}, false);
  fmt::print("money\n");
  good &= print_books(audit, "money", {}, true);
  const json currencies = audit.value("money", json::object()).value("currencies", json::object());
  const json money = currencies.value("GBP", json::object());
  good &= currencies.size() <= 1;  // the shop sells in pounds
  for (const char* name : {"authorized", "captured", "voided", "refunded"})
    line(name, pounds(money.value(name, int64_t{0})));
  const int64_t kept = money.value("captured", int64_t{0}) - money.value("refunded", int64_t{0});
  line("kept, by the orders' outcomes", pounds(captured - refunded));
  const bool agrees = kept == captured - refunded;
  line("agrees", yes(agrees));
  fmt::print("shipments\n");
  good &= print_books(audit, "shipments", {"waybills", "open", "cancelled"}, false);

  const auto at = [&](double part) {
    return latencies.empty() ? 0
                             : absl::ToDoubleMilliseconds(
                                   latencies[static_cast<size_t>(part * static_cast<double>(latencies.size() - 1))]);
  };
  if (!killed.empty()) fmt::print("killed on the way (kill -9)\n");
  for (const auto& [what, times] : killed) line(what, times == 1 ? "once" : absl::StrCat(times, " times"));
  fmt::print("speed, absences included\n");
  line("orders/s",
       fmt::format("{:.0f}", static_cast<double>(day.endings().size()) / absl::ToDoubleSeconds(day.took())));
  line("latency P50 / P99", fmt::format("{:.0f} / {:.0f} ms", at(0.5), at(0.99)));
  return good && agrees;
}

}  // namespace skald::demo
