#pragma once

#include <string>
#include <vector>

namespace skald::samples::llm {

// A unit vector of a text, from the hashes of its words and their three-letter parts: texts that share words are near.
// The same on every machine.
std::vector<double> embed(const std::string& text, size_t dimensions);

}  // namespace skald::samples::llm
