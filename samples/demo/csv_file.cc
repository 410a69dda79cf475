#include "samples/demo/csv_file.h"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string_view>
#include <utility>

#include <absl/strings/str_cat.h>
#include <csv.h>

namespace skald::demo {
namespace {

// A field with line breaks may go on for so many lines.
constexpr size_t kMostLinesOfARow = 50;
constexpr uintmax_t kMostBytes = 256 << 20;
constexpr char kByteOrderMark[] = "\xEF\xBB\xBF";

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    const size_t size = end == std::string_view::npos ? text.size() : end + 1;
    lines.push_back(text.substr(0, size));
    text.remove_prefix(size);
  }
  return lines;
}

// Feeds libcsv line by line, so that a row knows where it stands.
class RowParser {
 public:
  RowParser() { csv_init(&parser_, CSV_APPEND_NULL); }
  ~RowParser() { csv_free(&parser_); }
  RowParser(const RowParser&) = delete;
  RowParser& operator=(const RowParser&) = delete;

  // True if the line ended a row (an empty line ends none, and is none).
  bool feed(std::string_view line) {
    csv_parse(&parser_, line.data(), line.size(), on_field, on_row, this);
    return ended_;
  }
  void end() { csv_fini(&parser_, on_field, on_row, this); }
  std::vector<std::string> take() { return std::move(fields_); }
  bool empty() const { return fields_.empty(); }

 private:
  static void on_field(void* text, size_t size, void* self) {
    static_cast<RowParser*>(self)->fields_.emplace_back(static_cast<char*>(text), size);
  }
  static void on_row(int, void* self) { static_cast<RowParser*>(self)->ended_ = true; }

  csv_parser parser_{};
  std::vector<std::string> fields_;
  bool ended_ = false;
};

bool blank(std::string_view line) { return line.find_first_not_of(" \t\r\n") == std::string_view::npos; }

}  // namespace

std::vector<CsvRow> parse_csv(const std::string& text) {
  std::string_view rest = text;
  if (rest.starts_with(kByteOrderMark)) rest.remove_prefix(sizeof(kByteOrderMark) - 1);
  const auto lines = lines_of(rest);
  std::vector<CsvRow> rows;
  for (size_t first = 0; first < lines.size();) {
    if (blank(lines[first])) {
      ++first;
      continue;
    }
    RowParser parser;
    size_t next = first;
    bool ended = false;
    while (!ended && next < lines.size() && next - first < kMostLinesOfARow) ended = parser.feed(lines[next++]);
    const bool last = !ended && next == lines.size() && lines.back().back() != '\n' && next - first == 1;
    if (last) parser.end();
    CsvRow row{static_cast<int>(first + 1), parser.take(), ""};
    if (!ended && !last) {
      row = {static_cast<int>(first + 1), {}, "a quote is opened and not closed"};
      next = first + 1;
    }
    rows.push_back(std::move(row));
    first = next;
  }
  return rows;
}

absl::StatusOr<std::string> read_file(const std::string& path) {
  std::error_code error;
  const uintmax_t size = std::filesystem::file_size(path, error);
  if (error) return absl::NotFoundError(absl::StrCat("cannot read ", path, ": ", error.message()));
  if (size > kMostBytes) return absl::InvalidArgumentError(absl::StrCat(path, " is larger than 256 MB; split it"));
  std::ifstream file(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  if (!file) return absl::NotFoundError(absl::StrCat("cannot read ", path));
  return text;
}

}  // namespace skald::demo
