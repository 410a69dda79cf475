#include "samples/llm/chat.h"

#include <algorithm>
#include <ctime>
#include <stdexcept>

namespace skald::samples::llm {
namespace {

constexpr int64_t kBytesPerToken = 4;

// A message's content is a text, or a list of parts.
std::string content_of(const json& message) {
  if (!message.contains("content")) return "";
  const json& content = message["content"];
  if (content.is_string()) return content.get<std::string>();
  std::string text;
  if (content.is_array()) {
    for (const json& part : content) text += part.value("text", "");
  }
  return text;
}

std::string finish_reason(const Reply& reply) {
  if (!reply.finish_reason.empty()) return reply.finish_reason;
  return reply.tool_calls.empty() ? "stop" : "tool_calls";
}

json tool_call(const ToolCall& call, const std::string& id, size_t place) {
  return {{"id", "call_" + id + "_" + std::to_string(place)},
          {"type", "function"},
          {"function", {{"name", call.name}, {"arguments", call.arguments}}}};
}

json usage(const ChatRequest& request, const Reply& reply) {
  std::string written = reply.content + reply.refusal;
  for (const ToolCall& call : reply.tool_calls) written += call.name + call.arguments;
  const int64_t prompt = count_tokens(request.text + (request.schema.is_null() ? "" : request.schema.dump()));
  return {{"prompt_tokens", prompt},
          {"completion_tokens", count_tokens(written)},
          {"total_tokens", prompt + count_tokens(written)}};
}

json chunk(const ChatRequest& request, const std::string& id, json delta, const std::string& finish = "") {
  json choice = {{"index", 0}, {"delta", std::move(delta)}, {"finish_reason", nullptr}};
  if (!finish.empty()) choice["finish_reason"] = finish;
  return {{"id", id},
          {"object", "chat.completion.chunk"},
          {"created", std::time(nullptr)},
          {"model", request.model},
          {"choices", {std::move(choice)}}};
}

// Never within a UTF-8 character: each chunk is a JSON text of its own.
std::vector<std::string> pieces(const std::string& text, size_t size) {
  std::vector<std::string> pieces;
  for (size_t begin = 0; begin < text.size();) {
    size_t end = std::min(text.size(), begin + std::max<size_t>(size, 1));
    while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) ++end;
    pieces.push_back(text.substr(begin, end - begin));
    begin = end;
  }
  return pieces;
}

}  // namespace

ChatRequest ChatRequest::parse(const json& body) {
  if (!body.is_object()) throw std::invalid_argument("the body must be a JSON object");
  if (!body.contains("messages") || !body["messages"].is_array() || body["messages"].empty())
    throw std::invalid_argument("messages must be a list of at least one message");
  ChatRequest request;
  try {
    request.model = body.value("model", "");
    request.stream = body.value("stream", false);
    if (body.contains("stream_options")) request.include_usage = body["stream_options"].value("include_usage", false);
    request.messages = body["messages"];
    request.tools = body.value("tools", json::array());
    if (body.contains("response_format") && body["response_format"].value("type", "") == "json_schema") {
      const json& format = body["response_format"].at("json_schema");
      request.schema_name = format.at("name").get<std::string>();
      request.schema = format.value("schema", json::object());
    }
    for (const json& message : request.messages) request.text += content_of(message) + "\n";
    request.after_tool = request.messages.back().value("role", "") == "tool";
  } catch (const json::exception& error) {
    throw std::invalid_argument(error.what());
  }
  if (request.model.empty()) throw std::invalid_argument("you must provide a model parameter");
  return request;
}

std::string ChatRequest::tool_named(const std::string& name) const {
  const auto plain = [](std::string text) {
    std::replace(text.begin(), text.end(), '.', '_');
    return text;
  };
  for (const json& tool : tools) {
    const std::string offered = tool.value("function", json::object()).value("name", "");
    if (plain(offered) == plain(name)) return offered;
  }
  return "";
}

json ChatRequest::taken_by(const std::string& offered, const json& arguments) const {
  json taken = json::object();
  for (const json& tool : tools) {
    const json function = tool.value("function", json::object());
    if (function.value("name", "") != offered) continue;
    const json properties = function.value("parameters", json::object()).value("properties", json::object());
    for (const auto& [name, value] : arguments.items()) {
      if (properties.contains(name)) taken[name] = value;
    }
  }
  return taken;
}

int64_t count_tokens(const std::string& text) {
  return (static_cast<int64_t>(text.size()) + kBytesPerToken - 1) / kBytesPerToken;
}

json completion(const ChatRequest& request, const Reply& reply, const std::string& id) {
  json message = {{"role", "assistant"}, {"content", nullptr}, {"refusal", nullptr}};
  if (!reply.content.empty()) message["content"] = reply.content;
  if (!reply.refusal.empty()) message["refusal"] = reply.refusal;
  for (size_t i = 0; i < reply.tool_calls.size(); ++i)
    message["tool_calls"].push_back(tool_call(reply.tool_calls[i], id, i));
  return {{"id", id},
          {"object", "chat.completion"},
          {"created", std::time(nullptr)},
          {"model", request.model},
          {"choices", {{{"index", 0}, {"message", std::move(message)}, {"finish_reason", finish_reason(reply)}}}},
          {"usage", usage(request, reply)}};
}

std::vector<json> chunks(const ChatRequest& request, const Reply& reply, const std::string& id) {
  std::vector<json> all{chunk(request, id, {{"role", "assistant"}, {"content", ""}})};
  for (std::string& piece : pieces(reply.content, reply.chunk_size))
    all.push_back(chunk(request, id, {{"content", std::move(piece)}}));
  for (std::string& piece : pieces(reply.refusal, reply.chunk_size))
    all.push_back(chunk(request, id, {{"refusal", std::move(piece)}}));
  for (size_t i = 0; i < reply.tool_calls.size(); ++i) {
    json head = tool_call({reply.tool_calls[i].name, ""}, id, i);
    head["index"] = i;
    all.push_back(chunk(request, id, {{"tool_calls", {std::move(head)}}}));
    for (std::string& piece : pieces(reply.tool_calls[i].arguments, reply.chunk_size)) {
      const json part = {{"index", i}, {"function", {{"arguments", std::move(piece)}}}};
      all.push_back(chunk(request, id, {{"tool_calls", {part}}}));
    }
  }
  all.push_back(chunk(request, id, json::object(), finish_reason(reply)));
  if (request.include_usage) {
    for (json& one : all) one["usage"] = nullptr;
    json last = chunk(request, id, json::object());
    last["choices"] = json::array();
    last["usage"] = usage(request, reply);
    all.push_back(std::move(last));
  }
  return all;
}

json error_body(const std::string& message, const std::string& type) {
  return {{"error", {{"message", message}, {"type", type}, {"param", nullptr}, {"code", nullptr}}}};
}

}  // namespace skald::samples::llm
