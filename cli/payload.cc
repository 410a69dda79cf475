#include "cli/payload.h"

#include <fstream>
#include <iostream>
#include <iterator>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "engine/base/text.h"

namespace skald::cli {
namespace {

using temporal::api::common::v1::Payload;
using temporal::api::common::v1::Payloads;

constexpr std::string_view kEncoding = "encoding";

// Accepts any JSON and keeps nothing of it but where it went wrong.
class Checker : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit Checker(std::string_view text) : text_(text) {}
  const std::string& mistake() const { return mistake_; }

  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t&) override { return true; }
  bool string(string_t&) override { return true; }
  bool binary(binary_t&) override { return true; }
  bool start_object(std::size_t) override { return true; }
  bool key(string_t&) override { return true; }
  bool end_object() override { return true; }
  bool start_array(std::size_t) override { return true; }
  bool end_array() override { return true; }

  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception&) override {
    const size_t at = std::min(position > 0 ? position - 1 : 0, text_.size());
    const std::string_view before = text_.substr(0, at);
    const size_t line = 1 + static_cast<size_t>(std::count(before.begin(), before.end(), '\n'));
    const size_t column = at - (before.rfind('\n') + 1) + 1;
    const std::string_view rest = text_.substr(at, 12);
    mistake_ = fmt::format("line {}, column {}: {}", line, column,
                           rest.empty() ? "it ends too early" : fmt::format("`{}` is not expected here", rest));
    return false;
  }

 private:
  std::string_view text_;
  std::string mistake_;
};

std::string content_of(std::istream& stream) {
  return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

Outcome read_file(const std::string& file, std::string& content) {
  if (file == "-") {
    content = content_of(std::cin);
    return {};
  }
  std::ifstream stream(file, std::ios::binary);
  content = content_of(stream);
  if (!stream.is_open() || stream.bad()) return misused(fmt::format("--input-file: cannot read {}", file));
  return {};
}

}  // namespace

absl::StatusOr<Payload> json_payload(std::string_view json) {
  Checker checker(json);
  if (!nlohmann::json::sax_parse(json, &checker)) {
    return absl::InvalidArgumentError(
        fmt::format("not JSON, {}; a text needs its quotes inside the shell's: '\"text\"'", checker.mistake()));
  }
  Payload payload;
  (*payload.mutable_metadata())[std::string(kEncoding)] = "json/plain";
  payload.set_data(std::string(json));
  return payload;
}

Outcome read_inputs(const std::vector<std::string>& inputs, const std::string& file, Payloads& payloads) {
  std::string content;
  if (!file.empty()) {
    if (Outcome read = read_file(file, content); !read.ok()) return read;
    absl::StatusOr<Payload> payload = json_payload(content);
    if (!payload.ok()) return misused(fmt::format("--input-file {}: {}", file, base::text(payload.status())));
    *payloads.add_payloads() = *std::move(payload);
  }
  for (size_t i = 0; i < inputs.size(); ++i) {
    absl::StatusOr<Payload> payload = json_payload(inputs[i]);
    if (!payload.ok()) return misused(fmt::format("--input number {}: {}", i + 1, base::text(payload.status())));
    *payloads.add_payloads() = *std::move(payload);
  }
  return {};
}

Outcome read_fields(std::string_view option, const std::vector<std::string>& fields,
                    google::protobuf::Map<std::string, Payload>& map) {
  for (const std::string& field : fields) {
    const size_t equals = field.find('=');
    if (equals == std::string::npos || equals == 0) {
      return misused(fmt::format("{} {}: write name=JSON, for example {} 'customer=\"C-17\"'", option, field, option));
    }
    const std::string name = field.substr(0, equals);
    absl::StatusOr<Payload> payload = json_payload(std::string_view(field).substr(equals + 1));
    if (!payload.ok()) return misused(fmt::format("{} {}: {}", option, name, base::text(payload.status())));
    map[name] = *std::move(payload);
  }
  return {};
}

std::string payload_text(const Payload& payload) {
  const auto encoding = payload.metadata().find(std::string(kEncoding));
  if (encoding == payload.metadata().end()) return fmt::format("<{} bytes without an encoding>", payload.data().size());
  if (encoding->second == "json/plain" || encoding->second == "json/protobuf") return payload.data();
  if (encoding->second == "binary/null") return "null";
  return fmt::format("<{} bytes, {}>", payload.data().size(), encoding->second);
}

std::string payloads_text(const Payloads& payloads) {
  std::string text;
  for (const Payload& payload : payloads.payloads())
    text.append(text.empty() ? "" : ", ").append(payload_text(payload));
  return text;
}

}  // namespace skald::cli
