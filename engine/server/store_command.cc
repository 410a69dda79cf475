// `skald store check` and `skald store copy`: of the data of a server that is stopped.
#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <absl/strings/str_cat.h>
#include <absl/strings/strip.h>
#include <fmt/core.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "engine/base/clock.h"
#include "engine/base/text.h"
#include "engine/server/commands.h"
#include "engine/server/store_flags.h"
#include "engine/store/contents.h"
#include "engine/upkeep/check.h"
#include "engine/upkeep/copy.h"

namespace skald::server {
namespace {

using upkeep::Table;

constexpr int kClean = 0;
constexpr int kFailed = 1;  // violations, or the store could not be read
constexpr int kUsage = 2;

struct Output {
  std::string format = "text";
  bool json() const { return format == "json"; }
};

void add_output_option(CLI::App& command, Output& output) {
  command.add_option("-o,--output", output.format, "text for people, json for programs")
      ->capture_default_str()
      ->check(CLI::IsMember({"text", "json"}));
}

// Ids come from anybody: no control characters reach a terminal.
std::string printable(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](unsigned char byte) { return byte < 0x20 || byte == 0x7f; }, '?');
  return text;
}

// 1,234,567
std::string grouped(uint64_t number) {
  std::string digits = absl::StrCat(number);
  for (size_t at = digits.size(); at > 3;) digits.insert(at -= 3, ",");
  return digits;
}

std::string counted(uint64_t number, const std::string& noun) {
  return absl::StrCat(grouped(number), " ", noun, number == 1 ? "" : "s");
}

int fail(const absl::Status& status) {
  fmt::print(stderr, "skald: {}\n", printable(std::string(base::text(status))));
  return absl::IsInvalidArgument(status) ? kUsage : kFailed;
}

// What was printed must have arrived.
int finish(int code) {
  if (fflush(stdout) == 0 && ferror(stdout) == 0) return code;
  fmt::print(stderr, "skald: the output could not be written\n");
  return kFailed;
}

// A line on the terminal that says how far it is; nothing elsewhere.
class ProgressLine {
 public:
  explicit ProgressLine(const char* doing) : doing_(doing), shown_(isatty(STDERR_FILENO) == 1) {}
  ~ProgressLine() {
    if (shown_) fmt::print(stderr, "\r\033[K");
  }
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  upkeep::Progress function() {
    if (!shown_) return nullptr;
    return [this](Table table, uint64_t rows) {
      fmt::print(stderr, "\r\033[K{} {}: {}", doing_, upkeep::name_of(table), counted(rows, "row"));
      fflush(stderr);
    };
  }

 private:
  const char* const doing_;
  const bool shown_;
};

// Prints columns, the first left-aligned, the others, numbers, right-aligned.
template <size_t Columns>
void print_table(const std::vector<std::array<std::string, Columns>>& rows) {
  std::array<size_t, Columns> widths{};
  for (const auto& row : rows) {
    for (size_t i = 0; i < Columns; ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  for (const auto& row : rows) {
    fmt::print("{:<{}}", row[0], widths[0]);
    for (size_t i = 1; i < Columns; ++i) fmt::print("  {:>{}}", row[i], widths[i]);
    fmt::print("\n");
  }
}

void print_json(const nlohmann::ordered_json& document) {
  fmt::print("{}\n", document.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
}

// Opens a store that a server has used; a name that is a mistake makes no new one.
absl::StatusOr<std::unique_ptr<store::Store>> open_used(const StoreOptions& options) {
  absl::string_view path = options.store;
  std::error_code error;
  if (absl::ConsumePrefix(&path, "sqlite:") && !path.empty() &&
      !std::filesystem::exists(std::filesystem::path(std::string(path)), error)) {
    return absl::NotFoundError(absl::StrCat("there is no file ", path, "; name the store that a server has used"));
  }
  auto opened = open_store(options, false);
  if (!opened.ok()) return opened.status();
  auto spaces = (*opened)->namespaces();
  if (!spaces.ok()) return spaces.status();
  auto cluster = (*opened)->get_setting("cluster_id");
  if (!cluster.ok()) return cluster.status();
  if (spaces->empty() && !cluster->has_value()) {
    return absl::NotFoundError(absl::StrCat(store_text(options), " is empty; name the store that a server has used"));
  }
  return opened;
}

std::string holder(const char* command) { return absl::StrCat("skald store ", command, " pid ", getpid()); }

struct CheckArguments {
  StoreOptions store;
  Output output;
  size_t sentences = 10;
};

void print_report(const upkeep::Report& report) {
  std::vector<std::array<std::string, 3>> rows = {{"TABLE", "ROWS", "VIOLATIONS"}};
  uint64_t sum = 0;
  for (size_t i = 0; i < upkeep::kTables; ++i) {
    const auto table = static_cast<Table>(i);
    const upkeep::TableReport& found = report.of(table);
    sum += found.rows;
    rows.push_back({std::string(upkeep::name_of(table)), grouped(found.rows), grouped(found.violations)});
  }
  print_table(rows);
  for (size_t i = 0; i < upkeep::kTables; ++i) {
    const auto table = static_cast<Table>(i);
    const upkeep::TableReport& found = report.of(table);
    if (found.violations == 0) continue;
    fmt::print("\n{}:\n", upkeep::name_of(table));
    for (const std::string& sentence : found.sentences) fmt::print("  {}\n", printable(sentence));
    const uint64_t untold = found.violations - found.sentences.size();
    if (untold > 0) fmt::print("  and {} more (--sentences tells more)\n", grouped(untold));
  }
  if (report.violations() == 0) {
    fmt::print("\nNothing is wrong with {}.\n", counted(sum, "row"));
  } else {
    fmt::print("\n{} in {}. Back the store up before you change anything.\n", counted(report.violations(), "violation"),
               counted(sum, "row"));
  }
}

void print_report_json(const std::string& store, const upkeep::Report& report) {
  nlohmann::ordered_json tables = nlohmann::ordered_json::array();
  for (size_t i = 0; i < upkeep::kTables; ++i) {
    const upkeep::TableReport& found = report.of(static_cast<Table>(i));
    tables.push_back({{"table", upkeep::name_of(static_cast<Table>(i))},
                      {"rows", found.rows},
                      {"violations", found.violations},
                      {"sentences", found.sentences}});
  }
  print_json({{"store", store}, {"violations", report.violations()}, {"tables", std::move(tables)}});
}

int run_check(const CheckArguments& arguments) {
  auto opened = open_used(arguments.store);
  if (!opened.ok()) return fail(opened.status());
  store::Store& store = **opened;
  // A server that works on it would change rows between two looks.
  if (auto lease = store.acquire(0, store::kSlots, holder("check")); !lease.ok()) return fail(lease.status());
  auto contents = store.contents({});
  if (!contents.ok()) return fail(contents.status());
  absl::StatusOr<upkeep::Report> report;
  {
    ProgressLine line("checking");
    report = upkeep::check(**contents, {.sentences_per_table = arguments.sentences, .progress = line.function()});
  }
  if (!report.ok()) return fail(report.status());
  if (arguments.output.json()) {
    print_report_json(store_text(arguments.store), *report);
  } else {
    print_report(*report);
  }
  return finish(report->violations() == 0 ? kClean : kFailed);
}

struct CopyArguments {
  StoreOptions from, to;
  Output output;
};

void print_copied(const std::string& from, const std::string& to, const upkeep::RowCounts& rows) {
  std::vector<std::array<std::string, 2>> lines = {{"TABLE", "ROWS"}};
  uint64_t sum = 0;
  for (size_t i = 0; i < upkeep::kTables; ++i) {
    lines.push_back({std::string(upkeep::name_of(static_cast<Table>(i))), grouped(rows[i])});
    sum += rows[i];
  }
  print_table(lines);
  fmt::print("\n{} copied from {} to {}, and every one compared.\n", counted(sum, "row"), from, to);
  // Without its ledgers a server would charge again what was charged, and refund nothing.
  fmt::print(
      "\nWhat the plugins did was not copied. A server on {} needs it: start it with --plugin-store {}{}, or move "
      "those\n"
      "tables too (docs/operations.md).\n",
      to, from, is_mysql(from) ? "" : ".plugins");
}

void print_copied_json(const std::string& from, const std::string& to, const upkeep::RowCounts& rows) {
  nlohmann::ordered_json tables = nlohmann::ordered_json::array();
  for (size_t i = 0; i < upkeep::kTables; ++i) {
    tables.push_back({{"table", upkeep::name_of(static_cast<Table>(i))}, {"rows", rows[i]}});
  }
  print_json({{"from", from}, {"to", to}, {"verified", true}, {"tables", std::move(tables)}});
}

int run_copy(const CopyArguments& arguments) {
  const std::string from_text = store_text(arguments.from);
  const std::string to_text = store_text(arguments.to);
  if (from_text == to_text) return fail(absl::InvalidArgumentError("FROM and TO are the same store"));
  auto from = open_used(arguments.from);
  if (!from.ok()) return fail(from.status());
  auto to = open_store(arguments.to);
  if (!to.ok()) return fail(to.status());
  const base::SystemClock clock;
  absl::StatusOr<upkeep::RowCounts> rows;
  {
    ProgressLine line("copying");
    upkeep::CopyOptions options;
    options.holder = holder("copy");
    options.progress = line.function();
    rows = upkeep::copy(**from, **to, clock, options);
  }
  if (!rows.ok()) return fail(rows.status());
  if (arguments.output.json()) {
    print_copied_json(from_text, to_text, *rows);
  } else {
    print_copied(from_text, to_text, *rows);
  }
  return finish(kClean);
}

void add_check(CLI::App& group, int& exit_code) {
  auto arguments = std::make_shared<CheckArguments>();
  CLI::App* command = group.add_subcommand(
      "check", "Look at every row of a stopped server's store: can it be read, and do the tables agree?");
  add_store_options(*command, arguments->store);
  add_output_option(*command, arguments->output);
  command
      ->add_option("--sentences", arguments->sentences, "How many violations of each table are told; all are counted")
      ->capture_default_str()
      ->check(CLI::Range(0, 1'000'000));
  command->footer(
      "Exit codes: 0 nothing is wrong, 1 violations or a store that cannot be read, 2 usage.\n"
      "Examples:\n  skald store check --store sqlite:data/skald.sqlite\n  skald store check -o json | jq .violations");
  command->callback([arguments, &exit_code] { exit_code = run_check(*arguments); });
}

void add_copy(CLI::App& group, int& exit_code) {
  auto arguments = std::make_shared<CopyArguments>();
  CLI::App* command =
      group.add_subcommand("copy", "Copy a stopped server's data to an empty store, and compare every row after");
  command->add_option("FROM", arguments->from.store, "The store with the data: sqlite:FILE or mysql://…")->required();
  command->add_option("TO", arguments->to.store, "An empty store, which is made: sqlite:FILE or mysql://…")->required();
  command->add_option("--from-password", arguments->from.password_reference,
                      "Where the password of FROM's database stands: env:NAME or file:PATH");
  command->add_option("--to-password", arguments->to.password_reference, "Likewise of TO's database");
  add_output_option(*command, arguments->output);
  command->footer(
      "What the plugins did is kept elsewhere and is not copied (docs/operations.md).\n"
      "Exit codes: 0 copied and compared, 1 not copied, 2 usage.\n"
      "Example:\n  skald store copy sqlite:data/skald.sqlite mysql://skald@db.example:3306/skald --to-password "
      "env:DB_PASSWORD");
  command->callback([arguments, &exit_code] { exit_code = run_copy(*arguments); });
}

}  // namespace

void add_store_commands(CLI::App& root, int& exit_code) {
  CLI::App* group = root.add_subcommand("store", "Check or copy the data of a server that is stopped");
  group->require_subcommand(1);
  add_check(*group, exit_code);
  add_copy(*group, exit_code);
}

}  // namespace skald::server
