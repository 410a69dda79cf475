#pragma once

#include <cstdint>
#include <random>
#include <string>

namespace skald::lua::testing {

// Writes workflows that call every function of the library with values that mean no good: chains of metatables,
// metamethods that compute or throw, sizes without measure, texts that no pattern should meet, and each other's results.
class ScriptMaker {
 public:
  explicit ScriptMaker(uint64_t seed) : random_(seed) {}

  // The whole source of a definition, which answers the query "probe".
  std::string make();

 private:
  size_t below(size_t count) { return std::uniform_int_distribution<size_t>(0, count - 1)(random_); }
  std::string value(int depth);
  std::string number();
  std::string text();
  std::string table(int depth);
  std::string function(int depth);
  std::string call(int depth);
  std::string statement(int depth);
  std::string block(int depth, size_t statements);

  std::mt19937_64 random_;
};

}  // namespace skald::lua::testing
