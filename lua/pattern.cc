#include "lua/pattern.h"

#include <algorithm>
#include <cctype>
#include <cstring>

namespace skald::lua {
namespace {

using Kind = PatternNode::Kind;
using Repeat = PatternNode::Repeat;

bool in_class(unsigned char c, char letter) {
  switch (std::tolower(static_cast<unsigned char>(letter))) {
    case 'a':
      return std::isalpha(c) != 0;
    case 'c':
      return std::iscntrl(c) != 0;
    case 'd':
      return std::isdigit(c) != 0;
    case 'g':
      return std::isgraph(c) != 0;
    case 'l':
      return std::islower(c) != 0;
    case 'p':
      return std::ispunct(c) != 0;
    case 's':
      return std::isspace(c) != 0;
    case 'u':
      return std::isupper(c) != 0;
    case 'w':
      return std::isalnum(c) != 0;
    case 'x':
      return std::isxdigit(c) != 0;
    default:
      return false;
  }
}

constexpr std::string_view kClasses = "acdglpsuwx";

// The members of every class, in the order of kClasses.
const std::array<ByteSet, kClasses.size()>& classes() {
  static const std::array<ByteSet, kClasses.size()> all = [] {
    std::array<ByteSet, kClasses.size()> sets{};
    for (size_t i = 0; i < sets.size(); ++i) {
      for (int c = 0; c < 256; ++c) {
        if (in_class(static_cast<unsigned char>(c), kClasses[i])) sets[i].add(static_cast<unsigned char>(c));
      }
    }
    return sets;
  }();
  return all;
}

// %x: the members of a class, of its complement, or the character itself.
void add_escaped(ByteSet& set, char letter) {
  const auto upper = static_cast<unsigned char>(letter);
  const size_t found = kClasses.find(static_cast<char>(std::tolower(upper)));
  if (found == std::string_view::npos) return set.add(upper);
  const bool complement = std::isupper(upper) != 0;
  const ByteSet& members = classes()[found];
  for (size_t i = 0; i < set.bits.size(); ++i) set.bits[i] |= complement ? ~members.bits[i] : members.bits[i];
}

class Compiler {
 public:
  Compiler(std::string_view source, PatternNode* nodes) : source_(source), nodes_(nodes) {}

  const char* compile(bool anchor, Pattern& pattern) {
    pattern.anchored = anchor && !source_.empty() && source_[0] == '^';
    if (pattern.anchored) at_ = 1;
    while (at_ < source_.size()) {
      if (const char* error = item()) return error;
    }
    if (open_count_ > 0) return "unfinished capture";
    pattern.nodes = nodes_;
    pattern.node_count = count_;
    pattern.capture_count = captures_;
    return nullptr;
  }

 private:
  PatternNode& add(Kind kind) {
    PatternNode& node = nodes_[count_++];
    node = PatternNode{kind, Repeat::kOnce, 0, 0, {}};
    return node;
  }
  bool more() const { return at_ < source_.size(); }

  const char* item() {
    const char c = source_[at_];
    if (c == '(') return open_capture();
    if (c == ')') return close_capture();
    if (c == '$' && at_ + 1 == source_.size()) {
      ++at_;
      add(Kind::kEndAnchor);
      return nullptr;
    }
    if (c == '%' && at_ + 1 < source_.size()) {
      const char next = source_[at_ + 1];
      if (next == 'b') return balance();
      if (next == 'f') return frontier();
      if (std::isdigit(static_cast<unsigned char>(next)) != 0) return back_reference(next);
    }
    PatternNode& node = add(Kind::kSet);
    if (const char* error = single(node.set)) return error;
    if (!more()) return nullptr;
    switch (source_[at_]) {
      case '*':
        node.repeat = Repeat::kGreedy;
        break;
      case '+':
        node.repeat = Repeat::kGreedyOne;
        break;
      case '-':
        node.repeat = Repeat::kLazy;
        break;
      case '?':
        node.repeat = Repeat::kOptional;
        break;
      default:
        return nullptr;
    }
    ++at_;
    return nullptr;
  }

  const char* open_capture() {
    if (captures_ == Matcher::kMostCaptures) return "too many captures";
    const bool position = at_ + 1 < source_.size() && source_[at_ + 1] == ')';
    PatternNode& node = add(position ? Kind::kPositionCapture : Kind::kOpenCapture);
    node.first = static_cast<unsigned char>(captures_);
    closed_[captures_] = position;
    if (!position) open_[open_count_++] = static_cast<unsigned char>(captures_);
    ++captures_;
    at_ += position ? 2 : 1;
    return nullptr;
  }

  const char* close_capture() {
    if (open_count_ == 0) return "invalid pattern capture";
    ++at_;
    PatternNode& node = add(Kind::kCloseCapture);
    node.first = open_[--open_count_];
    closed_[node.first] = true;
    return nullptr;
  }

  const char* back_reference(char digit) {
    const int index = digit - '1';
    if (index < 0 || index >= captures_ || !closed_[index]) return "invalid capture index";
    at_ += 2;
    add(Kind::kBackReference).first = static_cast<unsigned char>(index);
    return nullptr;
  }

  const char* balance() {
    if (at_ + 3 >= source_.size()) return "malformed pattern (missing arguments to '%b')";
    PatternNode& node = add(Kind::kBalance);
    node.first = static_cast<unsigned char>(source_[at_ + 2]);
    node.second = static_cast<unsigned char>(source_[at_ + 3]);
    at_ += 4;
    return nullptr;
  }

  const char* frontier() {
    at_ += 2;
    if (!more() || source_[at_] != '[') return "missing '[' after '%f' in pattern";
    return bracket(add(Kind::kFrontier).set);
  }

  const char* single(ByteSet& set) {
    const char c = source_[at_];
    if (c == '[') return bracket(set);
    ++at_;
    if (c == '.') {
      set.bits.fill(~uint64_t{0});
      return nullptr;
    }
    if (c == '%') {
      if (!more()) return "malformed pattern (ends with '%')";
      add_escaped(set, source_[at_++]);
      return nullptr;
    }
    set.add(static_cast<unsigned char>(c));
    return nullptr;
  }

  const char* bracket(ByteSet& set) {
    ++at_;
    const bool complement = more() && source_[at_] == '^';
    if (complement) ++at_;
    bool first = true;
    while (true) {
      if (!more()) return "malformed pattern (missing ']')";
      const char c = source_[at_++];
      if (c == ']' && !first) break;
      first = false;
      if (c == '%') {
        if (!more()) return "malformed pattern (missing ']')";
        add_escaped(set, source_[at_++]);
      } else if (at_ + 1 < source_.size() && source_[at_] == '-' && source_[at_ + 1] != ']') {
        const auto low = static_cast<unsigned char>(c);
        const auto high = static_cast<unsigned char>(source_[at_ + 1]);
        for (int each = low; each <= high; ++each) set.add(static_cast<unsigned char>(each));
        at_ += 2;
      } else {
        set.add(static_cast<unsigned char>(c));
      }
    }
    if (complement) {
      for (uint64_t& word : set.bits) word = ~word;
    }
    return nullptr;
  }

  std::string_view source_;
  PatternNode* nodes_;
  size_t at_ = 0;
  int count_ = 0;
  int captures_ = 0;
  int open_count_ = 0;
  unsigned char open_[Matcher::kMostCaptures];
  bool closed_[Matcher::kMostCaptures] = {};
};

}  // namespace

const char* compile_pattern(std::string_view source, bool anchor, PatternNode* nodes, Pattern& pattern) {
  return Compiler(source, nodes).compile(anchor, pattern);
}

bool Matcher::next_portion() {
  if (told_ != nullptr) told_(context_, portion_ - steps_left_);
  portion_ = steps_left_ = std::min(later_, kPortion);
  later_ -= portion_;
  if (portion_ == 0) exhausted_ = true;
  return portion_ > 0;
}

void Matcher::spend(uint64_t steps) {
  while (steps > steps_left_) {
    steps -= steps_left_;
    steps_left_ = 0;
    if (!next_portion()) return;
  }
  steps_left_ -= steps;
}

size_t Matcher::match_at(size_t position) { return match(0, position); }

// The depth of recursion is the number of nodes, which the caller bounds: repeats are loops.
size_t Matcher::match(int index, size_t position) {
  for (; index < pattern_.node_count; ++index) {
    if (!step()) return kNone;
    const PatternNode& node = pattern_.nodes[index];
    switch (node.kind) {
      case Kind::kSet:
        if (node.repeat == Repeat::kGreedy) return match_greedy(index, position, 0);
        if (node.repeat == Repeat::kGreedyOne) return match_greedy(index, position, 1);
        if (node.repeat == Repeat::kLazy) return match_lazy(index, position);
        if (node.repeat == Repeat::kOptional) {
          if (fits(node, position)) {
            const size_t end = match(index + 1, position + 1);
            if (end != kNone || exhausted_) return end;
          }
          break;
        }
        if (!fits(node, position)) return kNone;
        ++position;
        break;
      case Kind::kOpenCapture:
        captures_[node.first] = {position, Capture::kOpen};
        break;
      case Kind::kPositionCapture:
        captures_[node.first] = {position, Capture::kPosition};
        break;
      case Kind::kCloseCapture: {
        // Backtracking may come here again with another end; the start was set on the way.
        Capture& capture = captures_[node.first];
        const Capture before = capture;
        capture.size = static_cast<ptrdiff_t>(position - capture.start);
        const size_t end = match(index + 1, position);
        if (end == kNone) capture = before;
        return end;
      }
      case Kind::kBackReference:
        position = match_back_reference(node, position);
        if (position == kNone) return kNone;
        break;
      case Kind::kBalance:
        position = match_balance(node, position);
        if (position == kNone) return kNone;
        break;
      case Kind::kFrontier: {
        const unsigned char before = position == 0 ? 0 : static_cast<unsigned char>(subject_[position - 1]);
        const unsigned char here = position == subject_.size() ? 0 : static_cast<unsigned char>(subject_[position]);
        if (node.set.has(before) || !node.set.has(here)) return kNone;
        break;
      }
      case Kind::kEndAnchor:
        if (position != subject_.size()) return kNone;
        break;
    }
  }
  return position;
}

size_t Matcher::match_greedy(int index, size_t position, size_t least) {
  const PatternNode& node = pattern_.nodes[index];
  size_t count = 0;
  while (fits(node, position + count)) {
    if (!step()) return kNone;
    ++count;
  }
  for (;; --count) {
    if (count < least) return kNone;
    const size_t end = match(index + 1, position + count);
    if (end != kNone || exhausted_) return end;
    if (count == 0) return kNone;
  }
}

size_t Matcher::match_lazy(int index, size_t position) {
  const PatternNode& node = pattern_.nodes[index];
  while (true) {
    const size_t end = match(index + 1, position);
    if (end != kNone || exhausted_) return end;
    if (!fits(node, position)) return kNone;
    ++position;
  }
}

size_t Matcher::match_balance(const PatternNode& node, size_t position) {
  if (position >= subject_.size() || static_cast<unsigned char>(subject_[position]) != node.first) return kNone;
  int depth = 1;
  for (size_t at = position + 1; at < subject_.size(); ++at) {
    if (!step()) return kNone;
    const auto c = static_cast<unsigned char>(subject_[at]);
    if (c == node.second) {
      if (--depth == 0) return at + 1;
    } else if (c == node.first) {
      ++depth;
    }
  }
  return kNone;
}

size_t Matcher::match_back_reference(const PatternNode& node, size_t position) {
  const Capture& capture = captures_[node.first];
  if (capture.size < 0) return kNone;
  const auto size = static_cast<size_t>(capture.size);
  spend(size / 16);
  if (exhausted_) return kNone;
  if (subject_.size() - position < size ||
      std::memcmp(subject_.data() + capture.start, subject_.data() + position, size) != 0)
    return kNone;
  return position + size;
}

}  // namespace skald::lua
