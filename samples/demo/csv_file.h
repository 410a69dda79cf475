#pragma once

#include <string>
#include <vector>

#include <absl/status/statusor.h>

namespace skald::demo {

struct CsvRow {
  int line = 0;  // on which it begins, from 1
  std::vector<std::string> fields;
  std::string problem;  // why this line is no row; then there are no fields
};

// The rows of a CSV text (RFC 4180, and what spreadsheets make of it). A quote that is opened and not closed costs its
// line, not the rest of the file.
std::vector<CsvRow> parse_csv(const std::string& text);

// The whole file, of up to 256 MB. Errors are sentences that name it.
absl::StatusOr<std::string> read_file(const std::string& path);

}  // namespace skald::demo
