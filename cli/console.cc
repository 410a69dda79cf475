#include "cli/console.h"

#include <algorithm>
#include <cstdlib>
#include <iostream>

#include <unistd.h>

namespace skald::cli {
namespace {

bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }
bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }

std::string_view escape_of(Colour colour) {
  switch (colour) {
    case Colour::kRed:
      return "\033[31m";
    case Colour::kGreen:
      return "\033[32m";
    case Colour::kYellow:
      return "\033[33m";
    case Colour::kDim:
      return "\033[2m";
    case Colour::kNone:
      break;
  }
  return "";
}

}  // namespace

std::string Console::paint(Colour colour, std::string_view text) const {
  if (!colours || colour == Colour::kNone) return std::string(text);
  return std::string(escape_of(colour)).append(text).append("\033[0m");
}

Outcome Console::finish() const {
  out.flush();
  if (out) return {};
  return failed("not all of the output could be written; see whether the disk is full or the reader has gone");
}

Console system_console() {
  const char* refused = std::getenv("NO_COLOR");
  return {std::cout, std::cerr, isatty(STDOUT_FILENO) == 1 && (refused == nullptr || *refused == '\0')};
}

std::string one_line(std::string_view text, size_t limit) {
  std::string line(text);
  std::replace_if(line.begin(), line.end(), is_control, ' ');
  if (limit == 0 || columns(line) <= limit) return line;
  size_t end = 0;
  for (size_t kept = 0; end < line.size(); ++end) {
    if (!is_continuation(line[end]) && ++kept == limit) break;
  }
  return line.substr(0, end) + "…";
}

std::string printable(std::string_view text) {
  std::string lines(text);
  std::replace_if(
      lines.begin(), lines.end(), [](char c) { return is_control(c) && c != '\n'; }, ' ');
  return lines;
}

size_t columns(std::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) { return !is_continuation(c); }));
}

}  // namespace skald::cli
