#pragma once

#include <cstdint>
#include <memory>
#include <string>

namespace skald::base {

// The only source of randomness in the engine. Not thread-safe: every loop has its own.
class Random {
 public:
  virtual ~Random() = default;
  virtual uint64_t next() = 0;

  // Uniform in [0, bound); bound > 0.
  uint64_t below(uint64_t bound) { return next() % bound; }
  // Uniform in [0, 1).
  double unit() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }
  // A random (version 4) UUID in its canonical lower-case text form.
  std::string uuid();
};

// A generator whose whole sequence follows from `seed`: for simulation, and, seeded by the system, for production.
std::unique_ptr<Random> make_seeded_random(uint64_t seed);
std::unique_ptr<Random> make_system_random();

}  // namespace skald::base
