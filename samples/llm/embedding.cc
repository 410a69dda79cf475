#include "samples/llm/embedding.h"

#include <cctype>
#include <cmath>
#include <cstdint>

namespace skald::samples::llm {
namespace {

constexpr double kWordWeight = 2;
constexpr double kPartWeight = 0.5;
constexpr size_t kPart = 3;

// FNV-1a.
uint64_t hash_of(const std::string& text) {
  uint64_t hash = 14695981039346656037u;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
  return hash ^ hash >> 29;
}

void add(const std::string& feature, double weight, std::vector<double>& vector) {
  const uint64_t hash = hash_of(feature);
  vector[hash % vector.size()] += hash >> 63 ? weight : -weight;
}

void add_word(const std::string& word, std::vector<double>& vector) {
  if (word.empty()) return;
  // Words that only join others tell little.
  const double importance = word.size() > kPart ? 1 : 0.3;
  add(word, kWordWeight * importance, vector);
  const std::string padded = "^" + word + "$";
  for (size_t i = 0; i + kPart <= padded.size(); ++i)
    add("#" + padded.substr(i, kPart), kPartWeight * importance, vector);
}

}  // namespace

std::vector<double> embed(const std::string& text, size_t dimensions) {
  std::vector<double> vector(dimensions, 0);
  std::string word;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) || byte >= 0x80) {
      word += static_cast<char>(std::tolower(byte));
      continue;
    }
    add_word(word, vector);
    word.clear();
  }
  add_word(word, vector);
  double length = 0;
  for (const double value : vector) length += value * value;
  length = std::sqrt(length);
  if (length == 0) return vector;
  for (double& value : vector) value /= length;
  return vector;
}

}  // namespace skald::samples::llm
