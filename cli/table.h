#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/console.h"

namespace skald::cli {

struct Cell {
  Cell(std::string text, Colour colour = Colour::kNone)
      : text(one_line(text)), colour(colour) {}        // NOLINT: a text is a cell
  Cell(const char* text) : Cell(std::string(text)) {}  // NOLINT
  std::string text;
  Colour colour;
};

using Row = std::vector<Cell>;

// Prints rows as left-aligned columns under a header (none if it is empty), each line after `indent` spaces.
void print_table(const Console& console, const std::vector<std::string>& header, const std::vector<Row>& rows,
                 size_t indent = 0);

// Prints `label  value`, the values of a sheet of such lines below each other. Nothing if the value is empty.
void print_field(const Console& console, std::string_view label, std::string_view value, Colour colour = Colour::kNone);

}  // namespace skald::cli
