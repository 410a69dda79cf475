#pragma once

#include <string>
#include <vector>

namespace skald::plugins {

constexpr size_t kShortestBlankedSecret = 6;  // shorter ones would blank innocent words

// From now on the values are blanked in whatever passes the functions below; for the life of the process, since late
// answers may still hold a value that has been replaced. Thread-safe.
void remember_secrets(const std::vector<std::string>& values);

// The text with *** in place of every secret that is remembered, and of each line of one, as it is or as JSON or URLs
// write it. Cheap when none is. Thread-safe.
std::string blank_secrets(std::string text);

// The same for a JSON text, however its strings are escaped.
std::string blank_secrets_in_json(std::string json);

}  // namespace skald::plugins
