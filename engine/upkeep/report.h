#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace skald::upkeep {

// The tables of a store, as SQL names them.
enum class Table { kNamespaces, kSettings, kRuns, kCurrentRuns, kHistory, kVisibility, kOutbox };
inline constexpr size_t kTables = 7;
std::string_view name_of(Table table);

// Told now and then how many rows of a table were worked on.
using Progress = std::function<void(Table, uint64_t rows)>;

// What was found in one table.
struct TableReport {
  uint64_t rows = 0;
  uint64_t violations = 0;
  std::vector<std::string> sentences;  // of the first violations: which row, what is wrong, what to do
};

// Gathers what is found. Counts all, keeps the first sentences of each table. Not thread-safe.
class Report {
 public:
  explicit Report(size_t sentences_per_table = 10) : most_sentences_(sentences_per_table) {}

  void count(Table table, uint64_t rows) { tables_[static_cast<size_t>(table)].rows += rows; }
  void violation(Table table, std::string sentence);

  const TableReport& of(Table table) const { return tables_[static_cast<size_t>(table)]; }
  uint64_t violations() const;

 private:
  size_t most_sentences_;
  std::array<TableReport, kTables> tables_;
};

}  // namespace skald::upkeep
