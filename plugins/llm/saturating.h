#pragma once

#include <cstdint>
#include <limits>

namespace skald::plugin::llm {

// Of counts that are not negative: what is too large for a number stays the largest, so that no budget is ever lifted.
inline int64_t saturated_sum(int64_t a, int64_t b) {
  int64_t sum = 0;
  return __builtin_add_overflow(a, b, &sum) ? std::numeric_limits<int64_t>::max() : sum;
}

}  // namespace skald::plugin::llm
