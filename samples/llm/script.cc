#include "samples/llm/script.h"

#include <regex>
#include <set>
#include <stdexcept>

#include "samples/llm/facts.h"

namespace skald::samples::llm {
namespace {

void refuse_unknown(const json& object, const std::set<std::string>& known, const std::string& where) {
  if (!object.is_object()) throw std::invalid_argument(where + " must be an object");
  for (const auto& [key, value] : object.items()) {
    if (!known.count(key)) throw std::invalid_argument(where + ": there is no field '" + key + "'");
  }
}

const std::set<std::string> kWhen{"model", "schema", "contains", "after_tool", "tools", "stream"};
const std::set<std::string> kThen{"output",         "content",    "tool_calls", "refusal",     "finish_reason",
                                  "obey",           "status",     "error",      "retry_after", "delay_ms",
                                  "chunk_delay_ms", "chunk_size", "break_after"};

std::chrono::milliseconds milliseconds(const json& then, const char* field) {
  return std::chrono::milliseconds(then.value(field, int64_t{0}));
}

void write_answer(const json& then, const ChatRequest& request, Reply& reply) {
  const auto replace = [&reply] { reply.content.clear(), reply.tool_calls.clear(), reply.refusal.clear(); };
  for (const char* own : {"output", "content", "tool_calls", "refusal"}) {
    if (then.contains(own)) {
      replace();
      break;
    }
  }
  if (then.contains("output")) reply.content = then["output"].dump();
  if (then.contains("content")) reply.content = then["content"].get<std::string>();
  if (then.contains("refusal")) reply.refusal = then["refusal"].get<std::string>();
  for (const json& call : then.value("tool_calls", json::array())) {
    const json& arguments = call.at("arguments");
    const std::string name = call.at("name").get<std::string>();
    const std::string offered = request.tool_named(name);
    reply.tool_calls.push_back(
        {offered.empty() ? name : offered, arguments.is_string() ? arguments.get<std::string>() : arguments.dump()});
  }
  if (!then.value("obey", false)) return;
  if (auto call = instructed_call(request)) {
    replace();
    reply.tool_calls.push_back(*std::move(call));
  }
}

Reply reply_of(const json& then, const ChatRequest& request, Reply reply) {
  write_answer(then, request, reply);
  reply.finish_reason = then.value("finish_reason", "");
  reply.status = then.value("status", 200);
  reply.error = then.value("error", "");
  if (then.contains("retry_after")) reply.retry_after = then["retry_after"].get<double>();
  reply.delay += milliseconds(then, "delay_ms");
  reply.chunk_delay = milliseconds(then, "chunk_delay_ms");
  reply.chunk_size = then.value("chunk_size", reply.chunk_size);
  if (then.contains("break_after")) reply.break_after = then["break_after"].get<size_t>();
  return reply;
}

}  // namespace

std::optional<ToolCall> instructed_call(const ChatRequest& request) {
  static const std::regex kInstruction(R"(\bcall\s+([A-Za-z][A-Za-z0-9_.-]*)\s*(\\?["{]))", std::regex::icase);
  for (const json& message : request.messages) {
    const std::string role = message.value("role", "");
    if (role == "system" || role == "assistant" || !message["content"].is_string()) continue;
    // The instruction may stand in a text of a JSON document: there its quotes are escaped.
    std::vector<std::string> texts{message["content"].get<std::string>()};
    for (const json& value : data_in(texts[0])) add_texts(value, texts);
    for (auto text = texts.rbegin(); text != texts.rend(); ++text) {
      std::smatch match;
      if (!std::regex_search(*text, match, kInstruction)) continue;
      const std::string name = match[1].str();
      const std::string offered = request.tool_named(name);
      const auto arguments = documents_in(text->substr(static_cast<size_t>(match.position(2))));
      return ToolCall{offered.empty() ? name : offered, arguments.empty() ? "{}" : arguments[0].dump()};
    }
  }
  return std::nullopt;
}

Script::Rule Script::read_rule(const json& rule, size_t place) {
  const std::string where = "rules[" + std::to_string(place) + "]";
  refuse_unknown(rule, {"name", "when", "then", "skip", "times"}, where);
  const json when = rule.value("when", json::object());
  refuse_unknown(when, kWhen, where + ".when");
  refuse_unknown(rule.value("then", json()), kThen, where + ".then");
  Rule read;
  read.name = rule.value("name", where);
  read.model = when.value("model", "");
  read.schema = when.value("schema", "");
  if (when.contains("contains")) {
    if (when["contains"].is_string())
      read.contains = {when["contains"].get<std::string>()};
    else
      read.contains = when["contains"].get<std::vector<std::string>>();
  }
  if (when.contains("after_tool")) read.after_tool = when["after_tool"].get<bool>();
  if (when.contains("tools")) read.tools = when["tools"].get<bool>();
  if (when.contains("stream")) read.stream = when["stream"].get<bool>();
  read.skip = rule.value("skip", int64_t{0});
  read.times = rule.value("times", int64_t{-1});
  read.then = rule["then"];
  reply_of(read.then, ChatRequest{}, Reply{});  // so that a wrong type is refused now
  return read;
}

void Script::load(const json& script) {
  std::vector<Rule> rules;
  try {
    refuse_unknown(script, {"rules"}, "the script");
    for (const json& rule : script.at("rules")) rules.push_back(read_rule(rule, rules.size()));
  } catch (const json::exception& error) {
    throw std::invalid_argument("rules[" + std::to_string(rules.size()) + "]: " + error.what());
  }
  const std::lock_guard lock(mutex_);
  rules_ = std::move(rules);
}

bool Script::meets(const Rule& rule, const ChatRequest& request) {
  if (!rule.model.empty() && rule.model != request.model) return false;
  if (!rule.schema.empty() && rule.schema != request.schema_name) return false;
  if (rule.after_tool && *rule.after_tool != request.after_tool) return false;
  if (rule.tools && *rule.tools == request.tools.empty()) return false;
  if (rule.stream && *rule.stream != request.stream) return false;
  for (const std::string& text : rule.contains) {
    if (request.text.find(text) == std::string::npos) return false;
  }
  return true;
}

std::optional<Script::Found> Script::find(const ChatRequest& request, const Reply& usual) {
  const std::lock_guard lock(mutex_);
  for (Rule& rule : rules_) {
    if (rule.times == 0 || !meets(rule, request)) continue;
    if (rule.skip > 0) {
      --rule.skip;
      continue;
    }
    if (rule.times > 0) --rule.times;
    return Found{rule.name, reply_of(rule.then, request, usual)};
  }
  return std::nullopt;
}

}  // namespace skald::samples::llm
