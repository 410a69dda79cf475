#include "cli/decision_text.h"

#include <sstream>

#include <absl/time/time.h>
#include <fmt/format.h>

#include "cli/table.h"
#include "cli/time_text.h"

namespace skald::cli {
namespace {

using json = nlohmann::ordered_json;

constexpr size_t kColumns = 150;
constexpr size_t kLines = 24;       // of a message
constexpr size_t kSystemLines = 3;  // which is the prompt's, and the same for all
constexpr size_t kHashLength = 12;
constexpr double kMicros = 1e6;

// A field's text, also of numbers and the like; empty if it is not there.
std::string text_of(const json& object, const std::string& field) {
  if (!object.is_object() || !object.contains(field) || object[field].is_null()) return "";
  const json& value = object[field];
  return value.is_string() ? value.get<std::string>() : value.dump(-1, ' ', false, json::error_handler_t::replace);
}

const json& part(const json& object, const std::string& field) {
  static const json kNothing;
  return object.is_object() && object.contains(field) ? object[field] : kNothing;
}

int64_t whole(const json& object, const std::string& field) {
  const json& value = part(object, field);
  return value.is_number() ? value.get<int64_t>() : 0;
}

void title(const Console& console, std::string_view text) {
  console.out << '\n' << console.paint(Colour::kDim, text) << '\n';
}

void print_lines(const Console& console, std::string_view label, const std::string& text, size_t limit) {
  std::istringstream lines(text);
  std::string head = fmt::format("  {:<10}", label);
  size_t count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    if (limit > 0 && count == limit) {
      console.out << head << console.paint(Colour::kDim, "… (--full shows the rest)") << '\n';
      return;
    }
    console.out << head << one_line(line, limit > 0 ? kColumns : 0) << '\n';
    head.assign(head.size(), ' ');
  }
}

void tell_question(const Console& console, const json& decision) {
  print_field(console, "Decision", text_of(decision, "decision_id"));
  print_field(console, "Agent", text_of(decision, "agent"));
  print_field(console, "About", text_of(decision, "about"));
  print_field(console, "Workflow", text_of(decision, "workflow_id"));
  print_field(console, "Asked", text_of(decision, "created_at"));
  const std::string hash = text_of(decision, "hash");
  print_field(console, "Prompt",
              fmt::format("{} version {}{}", text_of(decision, "prompt"), text_of(decision, "version"),
                          hash.empty() ? "" : ", content " + hash.substr(0, kHashLength)));
  print_field(console, "Model", text_of(decision, "model"));
}

void tell_sent(const Console& console, const json& decision, bool full) {
  const json& sent = part(decision, "sent");
  if (!sent.is_array() || sent.empty()) return;
  const int64_t redactions = whole(decision, "redactions");
  title(console, redactions == 0
                     ? "What was said to the model, and by it"
                     : fmt::format("What was said to the model, and by it, without {} personal details", redactions));
  for (const json& message : sent) {
    const std::string role = text_of(message, "role");
    std::string content = text_of(message, "content");
    for (const json& call : part(message, "tool_calls")) {
      const json& function = call.contains("function") ? call["function"] : call;
      content += fmt::format("{}asks for {} {}", content.empty() ? "" : "\n", text_of(function, "name"),
                             text_of(function, "arguments"));
    }
    print_lines(console, role, content, full ? 0 : role == "system" ? kSystemLines : kLines);
  }
}

// 840ms, 512 + 48 tokens, cost 0.000310, asked 2 times
std::string effort_text(const json& decision) {
  const json& tokens = part(decision, "tokens");
  std::string text = fmt::format("{}, {} + {} tokens", duration_text(absl::Milliseconds(whole(decision, "latency_ms"))),
                                 whole(tokens, "prompt"), whole(tokens, "completion"));
  const int64_t cost = whole(decision, "cost_micros"), requests = whole(decision, "requests");
  if (cost > 0) text += fmt::format(", cost {:.6f}", static_cast<double>(cost) / kMicros);
  if (requests != 1) text += fmt::format(", asked {} times", requests);
  return text;
}

void tell_answer(const Console& console, const json& decision) {
  title(console, "What came back");
  const std::string source = text_of(decision, "source"), reason = text_of(decision, "reason");
  if (part(decision, "output").is_object())
    print_field(console, "  Decision", output_text(decision["output"]), Colour::kYellow);
  print_field(console, "  Confidence", text_of(decision, "confidence"));
  print_field(console, "  Explanation", text_of(decision, "explanation"));
  print_field(console, "  Decided by",
              source == "rule"    ? fmt::format("the rule, because of the model: {}", reason)
              : source == "cache" ? "the model, for the same question before (cache)"
              : source == "model" ? "the model"
                                  : source);
  for (const json& from : part(decision, "sources"))
    print_field(
        console, "  Read",
        fmt::format("{} ({}), score {}", text_of(from, "title"), text_of(from, "source"), text_of(from, "score")));
  for (const json& refused : part(decision, "refusals"))
    print_field(
        console, "  Refused",
        fmt::format("{} {}: {}", text_of(refused, "activity"), text_of(refused, "input"), text_of(refused, "why")),
        Colour::kRed);
  for (const json& overruled : part(decision, "overruled"))
    print_field(console, "  Overruled",
                fmt::format("{} {}: {}", text_of(overruled, "activity"), text_of(overruled, "input"),
                            text_of(overruled, "why")));
  if (part(decision, "repaired") == true) print_field(console, "  Repaired", "its first answer did not fit the form");
  print_field(console, "  Took", effort_text(decision));
}

void tell_last_word(const Console& console, const json& decision, const json& waiting) {
  const json& confirmed = part(decision, "confirmed");
  if (confirmed.is_object()) {
    title(console, "Who had the last word");
    print_field(console, "  " + text_of(confirmed, "verdict"),
                fmt::format("by {} on {}", text_of(confirmed, "by"), text_of(confirmed, "at")), Colour::kGreen);
    print_field(console, "  Because", text_of(confirmed, "reason"));
    if (text_of(confirmed, "verdict") == "changed" && confirmed.contains("output"))
      print_field(console, "  Changed to", output_text(confirmed["output"]));
    return;
  }
  if (text_of(decision, "status") != "open") return;
  title(console, "It waits for a person");
  print_field(console, "  Question", text_of(waiting, "question"), Colour::kYellow);
  if (waiting.is_object()) {
    print_field(console, "  Asked",
                fmt::format("{}{}, for {} since {}", text_of(waiting, "asked"),
                            part(waiting, "escalated") == true ? " (escalated)" : "", text_of(waiting, "within"),
                            text_of(waiting, "since")));
  }
  const std::string id = text_of(decision, "decision_id");
  print_field(console, "  Answer", fmt::format("skald decision approve {} --by NAME --because TEXT, or reject", id));
}

}  // namespace

std::string output_text(const json& output) {
  if (!output.is_object()) return output.is_null() ? "" : output.dump(-1, ' ', false, json::error_handler_t::replace);
  std::string text;
  for (const auto& [field, value] : output.items())
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", field, text_of(output, field));
  return text;
}

std::string last_word(const json& decision) {
  const json& confirmed = part(decision, "confirmed");
  if (confirmed.is_object()) return fmt::format("{} by {}", text_of(confirmed, "verdict"), text_of(confirmed, "by"));
  const std::string status = text_of(decision, "status");
  if (status == "open") return "waits for a person";
  if (status == "failed") return "not decided";
  const std::string source = text_of(decision, "source");
  return source == "rule" ? fmt::format("rule ({})", text_of(decision, "reason")) : source;
}

void tell_decision(const Console& console, const json& decision, const json& waiting, bool full) {
  tell_question(console, decision);
  tell_sent(console, decision, full);
  tell_answer(console, decision);
  tell_last_word(console, decision, waiting);
}

}  // namespace skald::cli
