#include "plugins/llm/chunks.h"

#include <algorithm>
#include <initializer_list>

namespace skald::plugin::llm {
namespace {

constexpr std::string_view kBlanks = " \t\r\n";

std::string_view trimmed(std::string_view text) {
  const size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

size_t back_to_character(std::string_view text, size_t at) {
  while (at > 0 && at < text.size() && (static_cast<unsigned char>(text[at]) & 0xc0) == 0x80) --at;
  return at;
}

// Where to cut: after the last of the best kind of end in (least, most].
size_t cut(std::string_view text, size_t least, size_t most) {
  const std::string_view window = text.substr(0, most);
  for (const auto ends : {std::initializer_list<std::string_view>{"\n\n"},
                          {". ", "! ", "? ", ".\n", "!\n", "?\n", "。"},
                          {"\n", " ", "\t"}}) {
    size_t best = 0;
    for (const std::string_view end : ends) {
      const size_t at = window.rfind(end);
      if (at != std::string_view::npos && at + end.size() > least) best = std::max(best, at + end.size());
    }
    if (best > 0) return best;
  }
  return std::max<size_t>(back_to_character(text, most), 1);
}

}  // namespace

std::vector<std::string> chunks_of(std::string_view text, size_t most_bytes, size_t overlap) {
  std::vector<std::string> out;
  size_t begin = 0;
  while (begin < text.size()) {
    const std::string_view rest = text.substr(begin);
    const size_t size = rest.size() <= most_bytes ? rest.size() : cut(rest, most_bytes / 2, most_bytes);
    const std::string_view chunk = trimmed(rest.substr(0, size));
    if (!chunk.empty()) out.emplace_back(chunk);
    if (size == rest.size()) break;
    // The overlap begins with a whole word, and always leaves some way to go.
    const size_t back = std::min(overlap, size / 2);
    size_t next = back_to_character(text, begin + size - back);
    const size_t blank = text.find_first_of(kBlanks, next);
    if (back > 0 && blank != std::string_view::npos && blank < begin + size) next = blank + 1;
    begin = std::max(next, begin + 1);
  }
  return out;
}

}  // namespace skald::plugin::llm
