#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace skald::samples::llm {

using json = nlohmann::json;

// What a client of the chat completions asks.
struct ChatRequest {
  // Throws std::invalid_argument with a sentence when it is none.
  static ChatRequest parse(const json& body);

  std::string model;
  bool stream = false;
  bool include_usage = false;  // a last chunk with the usage
  json messages = json::array();
  json tools = json::array();  // [{"type": "function", "function": {"name", "parameters"}}]
  std::string schema_name;     // of the response format; empty: free text
  json schema;                 // null: none
  std::string text;            // of all messages, a line each
  bool after_tool = false;     // the last message is a tool's result

  // The offered tool that has this name, also when dots are written as underscores; empty: none.
  std::string tool_named(const std::string& name) const;
  // Of these arguments, those that the tool offered under this name takes.
  json taken_by(const std::string& offered, const json& arguments) const;
};

struct ToolCall {
  std::string name;
  std::string arguments;  // JSON, or what a model takes for it
};

// What is answered, and how badly.
struct Reply {
  std::string content;
  std::vector<ToolCall> tool_calls;
  std::string refusal;
  std::string finish_reason;  // empty: what fits

  int status = 200;
  std::string error;                         // the message of a status other than 200
  std::optional<double> retry_after;         // seconds
  std::chrono::milliseconds delay{0};        // before the first byte
  std::chrono::milliseconds chunk_delay{0};  // between the chunks of a stream
  size_t chunk_size = 24;                    // bytes of content in a chunk
  std::optional<size_t> break_after;  // so many chunks and the connection is cut; without a stream: half of the body
};

// Words and signs, about as a model counts them.
int64_t count_tokens(const std::string& text);

// The body of an answer that is no stream.
json completion(const ChatRequest& request, const Reply& reply, const std::string& id);
// The chunks of one that is, without the framing and without the closing [DONE].
std::vector<json> chunks(const ChatRequest& request, const Reply& reply, const std::string& id);
// The body of a refused request.
json error_body(const std::string& message, const std::string& type);

}  // namespace skald::samples::llm
