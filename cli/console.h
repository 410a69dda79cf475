#pragma once

#include <ostream>
#include <string>
#include <string_view>

#include "cli/outcome.h"

namespace skald::cli {

enum class Colour { kNone, kRed, kGreen, kYellow, kDim };

// Where a command writes. Not thread-safe.
struct Console {
  std::ostream& out;
  std::ostream& err;
  bool colours = false;

  std::string paint(Colour colour, std::string_view text) const;
  // Writes out what `out` still holds. Fails if any of the output was lost.
  Outcome finish() const;
};

// Standard output and error; colours if output goes to a terminal and NO_COLOR is not set.
Console system_console();

// `text` on one line, without control characters (it may come from anybody), cut to `limit` characters; 0 does not cut.
std::string one_line(std::string_view text, size_t limit = 0);

// The same over several lines.
std::string printable(std::string_view text);

// How many columns UTF-8 text takes, one a code point.
size_t columns(std::string_view text);

}  // namespace skald::cli
