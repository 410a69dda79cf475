#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace skald::lua {

// Lua's patterns (reference manual, 6.4.1) with bounded work: a pattern is compiled to nodes, and matching counts its
// steps. All types here are plain memory, so that a Lua error may pass over them.

struct ByteSet {
  std::array<uint64_t, 4> bits;
  bool has(unsigned char c) const { return (bits[c >> 6] >> (c & 63)) & 1; }
  void add(unsigned char c) { bits[c >> 6] |= uint64_t{1} << (c & 63); }
};

struct PatternNode {
  enum class Kind : uint8_t {
    kSet,
    kOpenCapture,
    kPositionCapture,
    kCloseCapture,
    kBackReference,
    kBalance,
    kFrontier,
    kEndAnchor
  };
  enum class Repeat : uint8_t { kOnce, kOptional, kGreedy, kGreedyOne, kLazy };
  Kind kind;
  Repeat repeat;
  unsigned char first;   // capture index; opening delimiter
  unsigned char second;  // closing delimiter
  ByteSet set;
};

struct Pattern {
  bool anchored;
  int node_count;
  int capture_count;
  PatternNode* nodes;
};

struct Capture {
  static constexpr ptrdiff_t kOpen = -1;
  static constexpr ptrdiff_t kPosition = -2;
  size_t start;
  ptrdiff_t size;
};

// How many nodes the compiled form of `source` takes at most.
inline size_t most_nodes(std::string_view source) { return source.size() + 1; }

// Compiles into `nodes`, which holds most_nodes(source). Returns what is wrong with the pattern, or null. `anchor`
// tells whether a leading ^ is an anchor.
const char* compile_pattern(std::string_view source, bool anchor, PatternNode* nodes, Pattern& pattern);

// One search in one subject.
class Matcher {
 public:
  static constexpr int kMostCaptures = 32;

  // Told after every portion of steps; may raise an error, or suspend the calling code.
  using Told = void (*)(void* context, uint64_t steps);
  static constexpr uint64_t kPortion = 4096;

  // `steps` is the work that may be done, shared by all matches.
  Matcher(const Pattern& pattern, std::string_view subject, uint64_t steps, Told told = nullptr, void* context = nullptr)
      : pattern_(pattern), subject_(subject), told_(told), context_(context), portion_(steps < kPortion ? steps : kPortion), steps_left_(portion_), later_(steps - portion_) {}

  // Matches at exactly this position. Returns the end of the match, or kNone.
  static constexpr size_t kNone = static_cast<size_t>(-1);
  size_t match_at(size_t position);

  bool exhausted() const { return exhausted_; }
  // Steps that were not told of yet.
  uint64_t untold() const { return portion_ - steps_left_; }
  int captures() const { return pattern_.capture_count; }
  const Capture& capture(int index) const { return captures_[index]; }
  std::string_view subject() const { return subject_; }

 private:
  bool step() {
    if (steps_left_ == 0 && !next_portion()) return false;
    --steps_left_;
    return true;
  }
  bool next_portion();
  void spend(uint64_t steps);
  size_t match(int node, size_t position);
  size_t match_greedy(int node, size_t position, size_t least);
  size_t match_lazy(int node, size_t position);
  size_t match_balance(const PatternNode& node, size_t position);
  size_t match_back_reference(const PatternNode& node, size_t position);
  bool fits(const PatternNode& node, size_t position) const {
    return position < subject_.size() && node.set.has(static_cast<unsigned char>(subject_[position]));
  }

  const Pattern& pattern_;
  std::string_view subject_;
  Told told_;
  void* context_;
  uint64_t portion_;     // the present one
  uint64_t steps_left_;  // of it
  uint64_t later_;
  bool exhausted_ = false;
  Capture captures_[kMostCaptures];
};

}  // namespace skald::lua
