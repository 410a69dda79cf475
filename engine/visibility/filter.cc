#include "engine/visibility/filter.h"

#include <absl/strings/ascii.h>
#include <absl/strings/match.h>
#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <absl/time/time.h>

#include <optional>
#include <utility>
#include <vector>

#include "temporal/api/enums/v1/common.pb.h"
#include "temporal/api/enums/v1/workflow.pb.h"

namespace skald::visibility {
namespace {

namespace enums = temporal::api::enums::v1;
using store::Column;

constexpr size_t kLongestFilter = 10'000;

enum class Kind { kText, kNumber, kTime, kStatus };

struct Attribute {
  store::Field field;
  Kind kind;
};

std::optional<Attribute> standard(const std::string& name) {
  static const auto* attributes = new std::map<std::string, std::pair<Column, Kind>>{
      {"WorkflowId", {Column::kWorkflowId, Kind::kText}},       {"RunId", {Column::kRunId, Kind::kText}},
      {"WorkflowType", {Column::kWorkflowType, Kind::kText}},   {"TaskQueue", {Column::kTaskQueue, Kind::kText}},
      {"ExecutionStatus", {Column::kStatus, Kind::kStatus}},    {"StartTime", {Column::kStartTime, Kind::kTime}},
      {"ExecutionTime", {Column::kExecutionTime, Kind::kTime}}, {"CloseTime", {Column::kCloseTime, Kind::kTime}},
      {"HistoryLength", {Column::kHistoryLength, Kind::kNumber}}, {"HistorySizeBytes", {Column::kHistorySizeBytes, Kind::kNumber}},
      {"StateTransitionCount", {Column::kStateTransitionCount, Kind::kNumber}}, {"ParentWorkflowId", {Column::kParentWorkflowId, Kind::kText}},
      {"ParentRunId", {Column::kParentRunId, Kind::kText}},     {"RootWorkflowId", {Column::kRootWorkflowId, Kind::kText}},
      {"RootRunId", {Column::kRootRunId, Kind::kText}}};
  const auto found = attributes->find(name);
  if (found == attributes->end()) return std::nullopt;
  return Attribute{{found->second.first, "", 0}, found->second.second};
}

std::optional<int64_t> status_number(const std::string& text) {
  static const auto* statuses = new std::map<std::string, int64_t>{{"running", enums::WORKFLOW_EXECUTION_STATUS_RUNNING},
                                                                   {"completed", enums::WORKFLOW_EXECUTION_STATUS_COMPLETED},
                                                                   {"failed", enums::WORKFLOW_EXECUTION_STATUS_FAILED},
                                                                   {"canceled", enums::WORKFLOW_EXECUTION_STATUS_CANCELED},
                                                                   {"terminated", enums::WORKFLOW_EXECUTION_STATUS_TERMINATED},
                                                                   {"continuedasnew", enums::WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW},
                                                                   {"timedout", enums::WORKFLOW_EXECUTION_STATUS_TIMED_OUT}};
  const auto found = statuses->find(absl::AsciiStrToLower(text));
  if (found != statuses->end()) return found->second;
  int64_t number = 0;
  if (absl::SimpleAtoi(text, &number) && enums::WorkflowExecutionStatus_IsValid(static_cast<int>(number))) return number;
  return std::nullopt;
}

class Parser {
 public:
  Parser(const std::string& text, const std::map<std::string, int>& custom) : text_(text), custom_(custom) {}

  absl::StatusOr<store::Filter> conjunction() {
    store::Filter all;
    all.kind = store::Filter::Kind::kAnd;
    while (true) {
      auto one = comparison();
      if (!one.ok()) return one.status();
      all.operands.push_back(*std::move(one));
      if (!word("AND")) return all;
    }
  }

  bool word(const char* expected) {
    skip_space();
    const std::string_view rest = std::string_view(text_).substr(at_);
    const size_t length = std::char_traits<char>::length(expected);
    if (rest.size() < length || !absl::EqualsIgnoreCase({rest.data(), length}, expected)) return false;
    if (rest.size() > length && (absl::ascii_isalnum(static_cast<unsigned char>(rest[length])) || rest[length] == '_')) return false;
    at_ += length;
    return true;
  }

  bool at_end() {
    skip_space();
    return at_ == text_.size();
  }

  absl::Status wrong(const std::string& what) const { return absl::InvalidArgumentError(absl::StrCat("invalid query at character ", at_ + 1, ": ", what)); }

  absl::Status leftover() {
    for (const char* known : {"OR", "NOT", "IN", "BETWEEN", "IS", "ORDER", "GROUP", "STARTS_WITH", "LIMIT"}) {
      const size_t before = at_;
      if (!word(known)) continue;
      at_ = before;
      return wrong(absl::StrCat(known, " is not implemented by this server; = and != joined by AND are"));
    }
    return wrong("expected AND or the end");
  }

  std::string name() {
    skip_space();
    const bool quoted = at_ < text_.size() && text_[at_] == '`';
    if (quoted) ++at_;
    const size_t from = at_;
    while (at_ < text_.size() && (absl::ascii_isalnum(static_cast<unsigned char>(text_[at_])) || text_[at_] == '_' || text_[at_] == '-')) ++at_;
    std::string result = text_.substr(from, at_ - from);
    if (quoted && at_ < text_.size() && text_[at_] == '`') ++at_;
    return result;
  }

 private:
  void skip_space() {
    while (at_ < text_.size() && absl::ascii_isspace(static_cast<unsigned char>(text_[at_]))) ++at_;
  }

  absl::StatusOr<store::Filter> comparison() {
    skip_space();
    if (at_ < text_.size() && text_[at_] == '(') return wrong("parentheses are not implemented by this server");
    const size_t before = at_;
    if (word("NOT")) {
      at_ = before;
      return leftover();
    }
    const std::string attribute_name = name();
    if (attribute_name.empty()) return wrong("expected the name of a search attribute");
    auto attribute = standard(attribute_name);
    if (!attribute) {
      const auto custom = custom_.find(attribute_name);
      if (custom == custom_.end()) return absl::InvalidArgumentError(absl::StrCat("search attribute ", attribute_name, " is not defined"));
      const bool number = custom->second == enums::INDEXED_VALUE_TYPE_INT || custom->second == enums::INDEXED_VALUE_TYPE_BOOL;
      attribute = Attribute{{Column::kCustom, attribute_name, custom->second},
                            number ? Kind::kNumber : custom->second == enums::INDEXED_VALUE_TYPE_DATETIME ? Kind::kTime : Kind::kText};
    }
    skip_space();
    store::Filter filter;
    filter.kind = store::Filter::Kind::kCompare;
    filter.field = attribute->field;
    if (text_.compare(at_, 2, "!=") == 0) {
      filter.comparison = store::Comparison::kNotEqual;
      at_ += 2;
    } else if (text_.compare(at_, 1, "=") == 0) {
      at_ += 1;
    } else {
      return leftover();
    }
    auto value = this->value(attribute->kind, attribute_name);
    if (!value.ok()) return value.status();
    filter.values.push_back(*std::move(value));
    return filter;
  }

  absl::StatusOr<store::Value> value(Kind kind, const std::string& attribute) {
    skip_space();
    if (at_ == text_.size()) return wrong(absl::StrCat("expected a value for ", attribute));
    std::string text;
    const char quote = text_[at_];
    if (quote == '\'' || quote == '"') {
      const size_t from = ++at_;
      while (at_ < text_.size() && text_[at_] != quote) text.push_back(text_[at_++]);
      if (at_ == text_.size()) {
        at_ = from - 1;
        return wrong("the quote is not closed");
      }
      ++at_;
    } else {
      while (at_ < text_.size() && !absl::ascii_isspace(static_cast<unsigned char>(text_[at_]))) text.push_back(text_[at_++]);
    }
    switch (kind) {
      case Kind::kText: return store::Value(text);
      case Kind::kStatus: {
        const auto number = status_number(text);
        if (!number) return wrong(absl::StrCat("\"", text, "\" is no execution status"));
        return store::Value(*number);
      }
      case Kind::kNumber: {
        int64_t number = 0;
        if (absl::EqualsIgnoreCase(text, "true") || absl::EqualsIgnoreCase(text, "false")) return store::Value(int64_t{absl::EqualsIgnoreCase(text, "true")});
        if (!absl::SimpleAtoi(text, &number)) return wrong(absl::StrCat(attribute, " is a number, \"", text, "\" is not"));
        return store::Value(number);
      }
      case Kind::kTime: {
        absl::Time time;
        std::string error;
        int64_t nanos = 0;
        if (absl::SimpleAtoi(text, &nanos)) return store::Value(nanos);
        if (!absl::ParseTime(absl::RFC3339_full, text, &time, &error)) return wrong(absl::StrCat("\"", text, "\" is no time (RFC 3339): ", error));
        return store::Value(absl::ToUnixNanos(time));
      }
    }
    return wrong("unknown kind of attribute");
  }

  const std::string& text_;
  const std::map<std::string, int>& custom_;
  size_t at_ = 0;
};

absl::Status check_length(const std::string& text) {
  if (text.size() <= kLongestFilter) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("the query is longer than ", kLongestFilter, " bytes"));
}

}  // namespace

absl::StatusOr<store::Filter> parse_filter(const std::string& text, const std::map<std::string, int>& custom) {
  if (auto status = check_length(text); !status.ok()) return status;
  Parser parser(text, custom);
  if (parser.at_end()) return store::Filter();
  auto filter = parser.conjunction();
  if (filter.ok() && !parser.at_end()) return parser.leftover();
  return filter;
}

absl::StatusOr<store::VisibilityQuery> parse_count(const std::string& text, const std::map<std::string, int>& custom) {
  if (auto status = check_length(text); !status.ok()) return status;
  Parser parser(text, custom);
  store::VisibilityQuery query;
  if (parser.at_end()) return query;
  if (!parser.word("GROUP")) {
    auto filter = parser.conjunction();
    if (!filter.ok()) return filter.status();
    query.filter = *std::move(filter);
    if (parser.at_end()) return query;
    if (!parser.word("GROUP")) return parser.leftover();
  }
  if (!parser.word("BY") || parser.name() != "ExecutionStatus" || !parser.at_end()) return parser.wrong("expected GROUP BY ExecutionStatus");
  query.group_by_status = true;
  return query;
}

}  // namespace skald::visibility
