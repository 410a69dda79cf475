#include "engine/visibility/filter.h"

#include <optional>
#include <utility>
#include <vector>

#include "temporal/api/enums/v1/common.pb.h"
#include "temporal/api/enums/v1/workflow.pb.h"
#include <absl/strings/ascii.h>
#include <absl/strings/match.h>
#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <absl/time/time.h>

namespace skald::visibility {
namespace {

namespace enums = temporal::api::enums::v1;
using store::Column;

constexpr size_t kLongestFilter = 10'000;
constexpr int kDeepestFilter = 50;
constexpr size_t kMostValues = 1'000;

enum class Kind { kText, kInteger, kReal, kBool, kTime, kStatus };

struct Attribute {
  store::Field field;
  Kind kind;
};

const std::map<std::string, std::pair<Column, Kind>>& standard_table() {
  static const auto* attributes = new std::map<std::string, std::pair<Column, Kind>>{
      {"WorkflowId", {Column::kWorkflowId, Kind::kText}},
      {"RunId", {Column::kRunId, Kind::kText}},
      {"WorkflowType", {Column::kWorkflowType, Kind::kText}},
      {"TaskQueue", {Column::kTaskQueue, Kind::kText}},
      {"ExecutionStatus", {Column::kStatus, Kind::kStatus}},
      {"StartTime", {Column::kStartTime, Kind::kTime}},
      {"ExecutionTime", {Column::kExecutionTime, Kind::kTime}},
      {"CloseTime", {Column::kCloseTime, Kind::kTime}},
      {"HistoryLength", {Column::kHistoryLength, Kind::kInteger}},
      {"HistorySizeBytes", {Column::kHistorySizeBytes, Kind::kInteger}},
      {"StateTransitionCount", {Column::kStateTransitionCount, Kind::kInteger}},
      {"ParentWorkflowId", {Column::kParentWorkflowId, Kind::kText}},
      {"ParentRunId", {Column::kParentRunId, Kind::kText}},
      {"RootWorkflowId", {Column::kRootWorkflowId, Kind::kText}},
      {"RootRunId", {Column::kRootRunId, Kind::kText}}};
  return *attributes;
}

std::optional<Attribute> standard(const std::string& name) {
  const auto found = standard_table().find(name);
  if (found == standard_table().end()) return std::nullopt;
  return Attribute{{found->second.first, "", 0}, found->second.second};
}

std::optional<int64_t> status_number(const std::string& text) {
  static const auto* statuses =
      new std::map<std::string, int64_t>{{"running", enums::WORKFLOW_EXECUTION_STATUS_RUNNING},
                                         {"completed", enums::WORKFLOW_EXECUTION_STATUS_COMPLETED},
                                         {"failed", enums::WORKFLOW_EXECUTION_STATUS_FAILED},
                                         {"canceled", enums::WORKFLOW_EXECUTION_STATUS_CANCELED},
                                         {"terminated", enums::WORKFLOW_EXECUTION_STATUS_TERMINATED},
                                         {"continuedasnew", enums::WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW},
                                         {"timedout", enums::WORKFLOW_EXECUTION_STATUS_TIMED_OUT}};
  const auto found = statuses->find(absl::AsciiStrToLower(text));
  if (found != statuses->end()) return found->second;
  int64_t number = 0;
  if (absl::SimpleAtoi(text, &number) && enums::WorkflowExecutionStatus_IsValid(static_cast<int>(number)))
    return number;
  return std::nullopt;
}

const char* describe(Kind kind) {
  switch (kind) {
    case Kind::kText:
      return "a text";
    case Kind::kInteger:
      return "an integer";
    case Kind::kReal:
      return "a number";
    case Kind::kBool:
      return "true or false";
    case Kind::kTime:
      return "a time (RFC 3339, or Unix nanoseconds)";
    case Kind::kStatus:
      return "an execution status";
  }
  return "a value";
}

Kind kind_of(int indexed_value_type) {
  switch (indexed_value_type) {
    case enums::INDEXED_VALUE_TYPE_INT:
      return Kind::kInteger;
    case enums::INDEXED_VALUE_TYPE_DOUBLE:
      return Kind::kReal;
    case enums::INDEXED_VALUE_TYPE_BOOL:
      return Kind::kBool;
    case enums::INDEXED_VALUE_TYPE_DATETIME:
      return Kind::kTime;
    default:
      return Kind::kText;
  }
}

std::optional<store::Value> parse_value(const std::string& text, Kind kind) {
  int64_t number = 0;
  double real = 0;
  absl::Time time;
  switch (kind) {
    case Kind::kText:
      return store::Value(text);
    case Kind::kInteger:
      return absl::SimpleAtoi(text, &number) ? std::optional<store::Value>(number) : std::nullopt;
    case Kind::kReal:
      return absl::SimpleAtod(text, &real) ? std::optional<store::Value>(real) : std::nullopt;
    case Kind::kBool:
      if (absl::EqualsIgnoreCase(text, "true")) return store::Value(int64_t{1});
      return absl::EqualsIgnoreCase(text, "false") ? std::optional<store::Value>(int64_t{0}) : std::nullopt;
    case Kind::kTime:
      if (absl::SimpleAtoi(text, &number)) return store::Value(number);
      return absl::ParseTime(absl::RFC3339_full, text, &time, nullptr)
                 ? std::optional<store::Value>(absl::ToUnixNanos(time))
                 : std::nullopt;
    case Kind::kStatus:
      if (const auto status = status_number(text)) return store::Value(*status);
      return std::nullopt;
  }
  return std::nullopt;
}

// A recursive descent over the text: OR binds least, then AND, then NOT.
class Parser {
 public:
  Parser(const std::string& text, const std::map<std::string, int>& custom) : text_(text), custom_(custom) {}

  absl::StatusOr<store::Filter> disjunction() {
    if (++depth_ > kDeepestFilter)
      return wrong(absl::StrCat("conditions are nested more than ", kDeepestFilter, " deep"));
    auto filter = joined(store::Filter::Kind::kOr, "OR",
                         [this] { return joined(store::Filter::Kind::kAnd, "AND", [this] { return condition(); }); });
    --depth_;
    return filter;
  }

  bool word(const char* expected) {
    skip_space();
    const std::string_view rest = std::string_view(text_).substr(at_);
    const size_t length = std::char_traits<char>::length(expected);
    if (rest.size() < length || !absl::EqualsIgnoreCase({rest.data(), length}, expected)) return false;
    if (rest.size() > length && (absl::ascii_isalnum(static_cast<unsigned char>(rest[length])) || rest[length] == '_'))
      return false;
    at_ += length;
    return true;
  }

  bool at_end() {
    skip_space();
    return at_ == text_.size();
  }

  absl::Status wrong(const std::string& what) const {
    return absl::InvalidArgumentError(absl::StrCat("invalid query at character ", at_ + 1, ": ", what));
  }

  // Whether ORDER BY comes next; nothing is read.
  bool order_by() {
    const size_t before = at_;
    const bool comes = word("ORDER") && word("BY");
    at_ = before;
    return comes;
  }

  absl::Status leftover() {
    for (const char* known : {"ORDER", "GROUP", "LIMIT"}) {
      const size_t before = at_;
      if (!word(known)) continue;
      at_ = before;
      return wrong(absl::StrCat(known, " is not supported here; lists come newest first, and only counts are grouped"));
    }
    return wrong("expected AND, OR or the end");
  }

  std::string name() {
    skip_space();
    const bool quoted = at_ < text_.size() && text_[at_] == '`';
    if (quoted) ++at_;
    const size_t from = at_;
    while (at_ < text_.size() &&
           (absl::ascii_isalnum(static_cast<unsigned char>(text_[at_])) || text_[at_] == '_' || text_[at_] == '-'))
      ++at_;
    std::string result = text_.substr(from, at_ - from);
    if (quoted && at_ < text_.size() && text_[at_] == '`') ++at_;
    return result;
  }

 private:
  void skip_space() {
    while (at_ < text_.size() && absl::ascii_isspace(static_cast<unsigned char>(text_[at_]))) ++at_;
  }

  bool sign(const char* expected) {
    skip_space();
    const size_t length = std::char_traits<char>::length(expected);
    if (text_.compare(at_, length, expected) != 0) return false;
    at_ += length;
    return true;
  }

  template <typename F>
  absl::StatusOr<store::Filter> joined(store::Filter::Kind kind, const char* with, F part) {
    store::Filter all;
    all.kind = kind;
    do {
      auto one = part();
      if (!one.ok()) return one.status();
      all.operands.push_back(*std::move(one));
    } while (word(with));
    if (all.operands.size() > 1) return all;
    store::Filter only = std::move(all.operands[0]);
    return only;
  }

  absl::StatusOr<store::Filter> condition() {
    bool negated = false;
    while (word("NOT")) negated = !negated;
    absl::StatusOr<store::Filter> filter;
    if (sign("(")) {
      filter = disjunction();
      if (filter.ok() && !sign(")")) return wrong("expected AND, OR or )");
    } else {
      filter = comparison();
    }
    if (!filter.ok() || !negated) return filter;
    return opposite(*std::move(filter));
  }

  static store::Filter opposite(store::Filter filter) {
    store::Filter result;
    result.kind = store::Filter::Kind::kNot;
    result.operands.push_back(std::move(filter));
    return result;
  }

  absl::StatusOr<Attribute> attribute(const std::string& attribute_name) {
    if (attribute_name.empty()) return wrong("expected the name of a search attribute");
    if (auto known = standard(attribute_name)) return *std::move(known);
    const auto custom = custom_.find(attribute_name);
    if (custom == custom_.end())
      return absl::InvalidArgumentError(absl::StrCat("search attribute ", attribute_name, " is not defined"));
    return Attribute{{Column::kCustom, attribute_name, custom->second}, kind_of(custom->second)};
  }

  absl::StatusOr<store::Filter> comparison() {
    const std::string attribute_name = name();
    auto found = attribute(attribute_name);
    if (!found.ok()) return found.status();
    store::Filter filter;
    filter.kind = store::Filter::Kind::kCompare;
    filter.field = found->field;
    if (word("IS")) {
      const bool negated = word("NOT");
      if (!word("NULL")) return wrong("expected NULL");
      filter.comparison = store::Comparison::kIsNull;
      return negated ? opposite(std::move(filter)) : filter;
    }
    const size_t operator_at = at_;
    const bool negated = word("NOT");
    const auto operation = comparison_sign(negated);
    if (!operation) return wrong("expected =, !=, <, <=, >, >=, IN, BETWEEN, STARTS_WITH or IS");
    filter.comparison = *operation;
    if (!fits(filter.field.custom_type, found->kind, filter.comparison)) {
      at_ = operator_at;
      return wrong(absl::StrCat(attribute_name, " cannot be compared in this way"));
    }
    if (auto status = values(filter, found->kind, attribute_name); !status.ok()) return status;
    return negated ? opposite(std::move(filter)) : filter;
  }

  std::optional<store::Comparison> comparison_sign(bool only_words) {
    if (word("IN")) return store::Comparison::kIn;
    if (word("BETWEEN")) return store::Comparison::kBetween;
    if (word("STARTS_WITH")) return store::Comparison::kStartsWith;
    if (only_words) return std::nullopt;
    if (sign("!=") || sign("<>")) return store::Comparison::kNotEqual;
    if (sign("<=")) return store::Comparison::kLessEqual;
    if (sign(">=")) return store::Comparison::kGreaterEqual;
    if (sign("=")) return store::Comparison::kEqual;
    if (sign("<")) return store::Comparison::kLess;
    if (sign(">")) return store::Comparison::kGreater;
    return std::nullopt;
  }

  // Text is compared as a whole, a list by its members; prefixes are for texts.
  static bool fits(int custom_type, Kind kind, store::Comparison comparison) {
    const bool equality = comparison == store::Comparison::kEqual || comparison == store::Comparison::kNotEqual;
    if (custom_type == enums::INDEXED_VALUE_TYPE_TEXT) return equality;
    if (custom_type == enums::INDEXED_VALUE_TYPE_KEYWORD_LIST) return equality || comparison == store::Comparison::kIn;
    return comparison != store::Comparison::kStartsWith || kind == Kind::kText;
  }

  absl::Status values(store::Filter& filter, Kind kind, const std::string& attribute_name) {
    const auto one = [&]() -> absl::Status {
      auto parsed = value(kind, attribute_name);
      if (parsed.ok()) filter.values.push_back(*std::move(parsed));
      return parsed.status();
    };
    if (filter.comparison == store::Comparison::kIn) {
      if (!sign("(")) return wrong("expected ( after IN");
      do {
        if (filter.values.size() == kMostValues) return wrong(absl::StrCat("more than ", kMostValues, " values"));
        if (auto status = one(); !status.ok()) return status;
      } while (sign(","));
      return sign(")") ? absl::OkStatus() : wrong("expected , or )");
    }
    if (auto status = one(); !status.ok() || filter.comparison != store::Comparison::kBetween) return status;
    return word("AND") ? one() : wrong("expected AND and the upper end of BETWEEN");
  }

  // A quoted text, in which a doubled quote stands for one; or the characters up to a space, a comma or a parenthesis.
  absl::StatusOr<std::string> literal(const std::string& attribute_name) {
    skip_space();
    std::string text;
    if (at_ < text_.size() && (text_[at_] == '\'' || text_[at_] == '"')) {
      const size_t from = at_;
      const char quote = text_[at_++];
      while (at_ < text_.size()) {
        if (text_[at_] == quote) {
          if (at_ + 1 == text_.size() || text_[at_ + 1] != quote) break;
          ++at_;
        }
        text.push_back(text_[at_++]);
      }
      if (at_ == text_.size()) {
        at_ = from;
        return wrong("the quote is not closed");
      }
      ++at_;
      return text;
    }
    const auto ends = [](char c) {
      return absl::ascii_isspace(static_cast<unsigned char>(c)) || c == ',' || c == '(' || c == ')';
    };
    while (at_ < text_.size() && !ends(text_[at_])) text.push_back(text_[at_++]);
    if (text.empty()) return wrong(absl::StrCat("expected a value for ", attribute_name));
    return text;
  }

  absl::StatusOr<store::Value> value(Kind kind, const std::string& attribute_name) {
    skip_space();
    const size_t from = at_;
    auto text = literal(attribute_name);
    if (!text.ok()) return text.status();
    auto parsed = parse_value(*text, kind);
    if (parsed) return *std::move(parsed);
    at_ = from;
    return wrong(absl::StrCat("\"", *text, "\" is no value for ", attribute_name, ", which is ", describe(kind)));
  }

  const std::string& text_;
  const std::map<std::string, int>& custom_;
  size_t at_ = 0;
  int depth_ = 0;
};

absl::Status check_length(const std::string& text) {
  if (text.size() <= kLongestFilter) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("the query is longer than ", kLongestFilter, " bytes"));
}

}  // namespace

std::map<std::string, int> standard_attributes() {
  std::map<std::string, int> types;
  for (const auto& [name, attribute] : standard_table()) {
    types[name] = attribute.second == Kind::kTime      ? enums::INDEXED_VALUE_TYPE_DATETIME
                  : attribute.second == Kind::kInteger ? enums::INDEXED_VALUE_TYPE_INT
                                                       : enums::INDEXED_VALUE_TYPE_KEYWORD;
  }
  return types;
}

absl::StatusOr<store::Filter> parse_filter(const std::string& text, const std::map<std::string, int>& custom) {
  if (auto status = check_length(text); !status.ok()) return status;
  Parser parser(text, custom);
  if (parser.at_end()) return store::Filter();
  if (parser.order_by()) return parser.leftover();
  auto filter = parser.disjunction();
  if (filter.ok() && !parser.at_end()) return parser.leftover();
  return filter;
}

absl::StatusOr<store::VisibilityQuery> parse_count(const std::string& text, const std::map<std::string, int>& custom) {
  if (auto status = check_length(text); !status.ok()) return status;
  Parser parser(text, custom);
  store::VisibilityQuery query;
  if (parser.at_end()) return query;
  if (!parser.word("GROUP")) {
    auto filter = parser.disjunction();
    if (!filter.ok()) return filter.status();
    query.filter = *std::move(filter);
    if (parser.at_end()) return query;
    if (!parser.word("GROUP")) return parser.leftover();
  }
  if (!parser.word("BY") || parser.name() != "ExecutionStatus" || !parser.at_end())
    return parser.wrong("expected GROUP BY ExecutionStatus");
  query.group_by_status = true;
  return query;
}

}  // namespace skald::visibility
