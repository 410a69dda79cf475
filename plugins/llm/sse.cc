#include "plugins/llm/sse.h"

namespace skald::plugin::llm {
namespace {

constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

}  // namespace

bool SseParser::feed(std::string_view bytes) {
  for (const char c : bytes) {
    const bool ends_return = after_return_ && c == '\n';  // "\r\n" is one end of a line
    after_return_ = c == '\r';
    if (ends_return) continue;
    if (c == '\n' || c == '\r') {
      line(line_);
      line_.clear();
    } else {
      line_ += c;
      if (line_.size() + data_.size() > most_bytes_) return false;
    }
  }
  return true;
}

void SseParser::end() {
  if (!line_.empty()) line(line_);
  line_.clear();
  dispatch();
}

void SseParser::line(std::string_view text) {
  if (first_ && text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  first_ = false;
  if (text.empty()) return dispatch();
  if (text.substr(0, text.find(':')) != "data") return;  // comments, and fields that say nothing here
  text.remove_prefix(text.size() > 4 ? 5 : 4);
  if (text.starts_with(' ')) text.remove_prefix(1);
  if (has_data_) data_ += '\n';
  data_ += text;
  has_data_ = true;
}

void SseParser::dispatch() {
  if (has_data_) event_(data_);
  data_.clear();
  has_data_ = false;
}

}  // namespace skald::plugin::llm
