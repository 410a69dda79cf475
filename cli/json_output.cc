#include "cli/json_output.h"

#include <algorithm>
#include <optional>
#include <string>

#include <absl/strings/escaping.h>
#include <google/protobuf/util/json_util.h>

namespace skald::cli {
namespace {

using Json = nlohmann::ordered_json;

// Deeper JSON stays a text: printing recurses, and the stack is finite.
constexpr int kMaxDepth = 256;

int depth_of(const std::string& text) {
  int depth = 0, deepest = 0;
  for (const char c : text) {
    if (c == '[' || c == '{') deepest = std::max(deepest, ++depth);
    if (c == ']' || c == '}') --depth;
  }
  return deepest;
}

std::optional<std::string> from_base64(const Json& value) {
  std::string decoded;
  if (!value.is_string() || !absl::Base64Unescape(value.get_ref<const std::string&>(), &decoded)) return std::nullopt;
  return decoded;
}

// The encoding, if `value` is a payload's JSON form.
std::optional<std::string> encoding_of(const Json& value) {
  const auto metadata = value.find("metadata");
  if (metadata == value.end() || !metadata->is_object()) return std::nullopt;
  const auto encoding = metadata->find("encoding");
  return encoding == metadata->end() ? std::nullopt : from_base64(*encoding);
}

std::optional<Json> decoded_payload(const Json& value) {
  const std::optional<std::string> encoding = encoding_of(value);
  if (encoding == "binary/null") return Json(nullptr);
  if (encoding != "json/plain" && encoding != "json/protobuf") return std::nullopt;
  const std::optional<std::string> data = from_base64(value.value("data", Json("")));
  if (!data || depth_of(*data) > kMaxDepth) return data ? std::optional<Json>(*data) : std::nullopt;
  Json decoded = Json::parse(*data, nullptr, false);
  return decoded.is_discarded() ? std::nullopt : std::optional<Json>(std::move(decoded));
}

void decode_payloads(Json& value) {
  if (!value.is_structured()) return;
  if (value.is_object()) {
    if (std::optional<Json> decoded = decoded_payload(value)) {
      value = *std::move(decoded);
      return;
    }
  }
  for (Json& member : value) {
    const bool is_list =
        member.is_object() && member.size() == 1 && member.contains("payloads") && member["payloads"].is_array();
    if (is_list) member = Json(member["payloads"]);
    decode_payloads(member);
  }
}

}  // namespace

Json to_json(const google::protobuf::Message& message, PayloadForm form) {
  std::string text;
  const auto status = google::protobuf::util::MessageToJsonString(message, &text);
  if (!status.ok()) return {{"unprintable", status.message().as_string()}};
  Json value = Json::parse(text, nullptr, false);
  if (form == PayloadForm::kDecoded) decode_payloads(value);
  return value;
}

void print_json(const Console& console, const Json& document) {
  console.out << document.dump(2, ' ', false, Json::error_handler_t::replace) << '\n';
}

}  // namespace skald::cli
