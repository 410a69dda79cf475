#include "plugins/llm/chat.h"

#include <stdexcept>

#include "plugins/llm/trouble.h"

namespace skald::plugin::llm {
namespace {

using nlohmann::json;

constexpr size_t kMostCalls = 64;            // of one streamed answer
constexpr int64_t kMostTokens = 1000000000;  // of one request
constexpr size_t kMostTold = 500;            // bytes of an endpoint's words in a failure

// A text that may be missing, null or of another type: then nothing.
std::string text_in(const json& holder, const char* key) {
  const auto found = holder.find(key);
  return found != holder.end() && found->is_string() ? found->get<std::string>() : std::string();
}

// What is said: a text, or a list of parts, of which those with a text count.
std::string content_in(const json& message) {
  const auto found = message.find("content");
  if (found == message.end() || !found->is_array()) return text_in(message, "content");
  std::string joined;
  for (const json& part : *found) {
    if (part.is_object()) joined += text_in(part, "text");
  }
  return joined;
}

const json* object_in(const json& holder, const char* key) {
  const auto found = holder.find(key);
  return found != holder.end() && found->is_object() ? &*found : nullptr;
}

std::optional<TokenUse> usage_of(const json& body) {
  const json* usage = object_in(body, "usage");
  if (usage == nullptr) return std::nullopt;
  const auto prompt = token_count(*usage, "prompt_tokens"), completion = token_count(*usage, "completion_tokens");
  if (!prompt || !completion) return std::nullopt;
  return TokenUse{*prompt, *completion, false};
}

// Arguments should be a text that holds JSON; some endpoints give the JSON.
std::string arguments_of(const json& function) {
  const json* object = object_in(function, "arguments");
  return object == nullptr ? text_in(function, "arguments") : object->dump();
}

std::string error_in(const json& body) {
  const auto error = body.find("error");
  if (error == body.end() || error->is_null()) return {};
  const std::string said = error->is_object() ? text_in(*error, "message") : std::string();
  return "the endpoint reports an error" + (said.empty() ? "" : ": " + beginning_of(said, kMostTold));
}

}  // namespace

std::optional<int64_t> token_count(const json& usage, const char* key) {
  const auto found = usage.find(key);
  if (found == usage.end() || !found->is_number_integer()) return std::nullopt;
  const auto count = found->get<int64_t>();  // what is too large for it is negative
  if (count < 0 || count > kMostTokens) return std::nullopt;
  return count;
}

int64_t estimated_tokens(size_t bytes) { return static_cast<int64_t>((bytes + 3) / 4); }

json chat_body(const ChatQuestion& question) {
  json body = {{"model", question.model}, {"messages", question.messages}, {"stream", question.stream}};
  if (question.stream) body["stream_options"] = {{"include_usage", true}};
  if (question.temperature) body["temperature"] = *question.temperature;
  if (question.max_tokens > 0) body["max_tokens"] = question.max_tokens;
  if (!question.tools.empty()) body["tools"] = question.tools;
  if (!question.tools.empty() && !question.may_call_tools) body["tool_choice"] = "none";
  if (!question.form.is_null()) {
    body["response_format"] = {{"type", "json_schema"},
                               {"json_schema", {{"name", question.form_name}, {"schema", question.form}}}};
  }
  return body;
}

size_t ChatAnswer::bytes() const {
  size_t sum = text.size() + refusal.size();
  for (const ToolCall& call : tool_calls) sum += call.name.size() + call.arguments.size();
  return sum;
}

ChatAnswer read_chat(const json& body) {
  if (!body.is_object()) throw std::runtime_error("the endpoint's answer is not a JSON object");
  if (const std::string error = error_in(body); !error.empty()) throw std::runtime_error(error);
  const auto choices = body.find("choices");
  if (choices == body.end() || !choices->is_array() || choices->empty() || !(*choices)[0].is_object())
    throw std::runtime_error("the endpoint's answer has no choices");
  const json& choice = (*choices)[0];
  const json* message = object_in(choice, "message");
  if (message == nullptr) throw std::runtime_error("the endpoint's answer has no message");
  ChatAnswer answer;
  answer.text = content_in(*message);
  answer.refusal = text_in(*message, "refusal");
  answer.finish_reason = text_in(choice, "finish_reason");
  answer.model = text_in(body, "model");
  answer.tokens = usage_of(body);
  if (const auto calls = message->find("tool_calls"); calls != message->end() && calls->is_array()) {
    for (const json& call : *calls) {
      const json* function = call.is_object() ? object_in(call, "function") : nullptr;
      if (function != nullptr && answer.tool_calls.size() < kMostCalls)
        answer.tool_calls.push_back({text_in(call, "id"), text_in(*function, "name"), arguments_of(*function)});
    }
  }
  return answer;
}

ChatStream::ChatStream() : parser_([this](std::string_view data) { event(data); }) {}

bool ChatStream::feed(std::string_view bytes) {
  if (!parser_.feed(bytes)) problem_ = "the endpoint's stream holds an event that is too large";
  return problem_.empty();
}

void ChatStream::event(std::string_view data) {
  if (done_ || !problem_.empty()) return;
  if (data == "[DONE]") {
    done_ = true;
    return;
  }
  const json event = json::parse(data, nullptr, false);
  if (!event.is_object()) {
    problem_ = "the endpoint's stream holds an event that is not JSON";
    return;
  }
  if (problem_ = error_in(event); !problem_.empty()) return;
  if (answer_.model.empty()) answer_.model = text_in(event, "model");
  if (object_in(event, "usage") != nullptr) answer_.tokens = usage_of(event);
  const auto choices = event.find("choices");
  if (choices == event.end() || !choices->is_array() || choices->empty() || !(*choices)[0].is_object()) return;
  choice((*choices)[0]);
}

void ChatStream::choice(const json& choice) {
  if (const std::string reason = text_in(choice, "finish_reason"); !reason.empty()) answer_.finish_reason = reason;
  const json* delta = object_in(choice, "delta");
  if (delta == nullptr) return;
  const std::string text = content_in(*delta), refusal = text_in(*delta, "refusal");
  answer_.text += text;
  answer_.refusal += refusal;
  const auto calls = delta->find("tool_calls");
  const bool has_calls = calls != delta->end() && calls->is_array();
  if (!text.empty() || !refusal.empty() || has_calls) ++pieces_;
  if (!has_calls) return;
  for (const json& part : *calls) {
    if (!part.is_object()) continue;
    const auto index = part.find("index");
    const int64_t at = index != part.end() && index->is_number_integer() ? index->get<int64_t>() : 0;
    if (calls_.size() >= kMostCalls && !calls_.contains(at)) continue;
    ToolCall& call = calls_[at];
    if (call.id.empty()) call.id = text_in(part, "id");
    const json* function = object_in(part, "function");
    if (function == nullptr) continue;
    call.name += text_in(*function, "name");
    call.arguments += arguments_of(*function);
  }
}

ChatAnswer ChatStream::answer() const {
  ChatAnswer out = answer_;
  for (const auto& [index, call] : calls_) out.tool_calls.push_back(call);
  return out;
}

}  // namespace skald::plugin::llm
