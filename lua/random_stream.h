#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace skald::lua {

// A script's random numbers: the whole sequence follows from the seed, so that replay sees the same. Copyable: a copy
// goes on by itself.
class RandomStream {
 public:
  explicit RandomStream(uint64_t seed);
  uint64_t next();
  double unit() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }
  // Uniform in low..high, both included.
  int64_t between(int64_t low, int64_t high);

  static uint64_t seed_from(std::string_view text);

 private:
  uint64_t state_[4];
};

}  // namespace skald::lua
