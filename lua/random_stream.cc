#include "lua/random_stream.h"

namespace skald::lua {
namespace {

constexpr uint64_t rotated(uint64_t value, int by) { return (value << by) | (value >> (64 - by)); }

// SplitMix64: spreads a seed over a generator's state.
uint64_t spread(uint64_t& seed) {
  uint64_t z = (seed += 0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

}  // namespace

RandomStream::RandomStream(uint64_t seed) {
  for (uint64_t& word : state_) word = spread(seed);
}

// xoshiro256**
uint64_t RandomStream::next() {
  const uint64_t result = rotated(state_[1] * 5, 7) * 9;
  const uint64_t shifted = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= shifted;
  state_[3] = rotated(state_[3], 45);
  return result;
}

int64_t RandomStream::between(int64_t low, int64_t high) {
  const uint64_t span = static_cast<uint64_t>(high) - static_cast<uint64_t>(low) + 1;
  if (span == 0) return static_cast<int64_t>(next());
  const uint64_t unfair = (0 - span) % span;  // the values below it would come up once too often
  uint64_t value = next();
  while (value < unfair) value = next();
  return static_cast<int64_t>(static_cast<uint64_t>(low) + value % span);
}

uint64_t RandomStream::seed_from(std::string_view text) {
  uint64_t hash = 0xcbf29ce484222325;  // FNV-1a
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

}  // namespace skald::lua
