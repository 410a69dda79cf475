#include "engine/upkeep/report.h"

#include <utility>

namespace skald::upkeep {

std::string_view name_of(Table table) {
  constexpr std::array<std::string_view, kTables> kNames = {"namespaces", "settings",   "runs",  "current_runs",
                                                            "history",    "visibility", "outbox"};
  return kNames[static_cast<size_t>(table)];
}

void Report::violation(Table table, std::string sentence) {
  TableReport& report = tables_[static_cast<size_t>(table)];
  ++report.violations;
  if (report.sentences.size() < most_sentences_) report.sentences.push_back(std::move(sentence));
}

uint64_t Report::violations() const {
  uint64_t sum = 0;
  for (const TableReport& table : tables_) sum += table.violations;
  return sum;
}

}  // namespace skald::upkeep
