#include "cli/table.h"

#include <algorithm>

#include <fmt/format.h>

namespace skald::cli {
namespace {

constexpr size_t kGap = 2;
constexpr size_t kLabelWidth = 18;

void print_row(const Console& console, const Row& row, const std::vector<size_t>& widths, size_t indent) {
  std::string line(indent, ' ');
  for (size_t i = 0; i < row.size(); ++i) {
    line += console.paint(row[i].colour, row[i].text);
    if (i + 1 < row.size()) line.append(widths[i] - columns(row[i].text) + kGap, ' ');
  }
  line.erase(line.find_last_not_of(' ') + 1);
  console.out << line << '\n';
}

}  // namespace

void print_table(const Console& console, const std::vector<std::string>& header, const std::vector<Row>& rows,
                 size_t indent) {
  Row head;
  for (const std::string& title : header) head.emplace_back(title, Colour::kDim);
  std::vector<size_t> widths(rows.empty() ? head.size() : std::max(head.size(), rows.front().size()));
  const auto widen = [&widths](const Row& row) {
    for (size_t i = 0; i < row.size() && i < widths.size(); ++i) widths[i] = std::max(widths[i], columns(row[i].text));
  };
  widen(head);
  for (const Row& row : rows) widen(row);
  if (!head.empty()) print_row(console, head, widths, indent);
  for (const Row& row : rows) print_row(console, row, widths, indent);
}

void print_field(const Console& console, std::string_view label, std::string_view value, Colour colour) {
  if (value.empty()) return;
  console.out << fmt::format("{:<{}}", label, kLabelWidth) << console.paint(colour, one_line(value)) << '\n';
}

}  // namespace skald::cli
