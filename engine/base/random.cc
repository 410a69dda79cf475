#include "engine/base/random.h"

#include <random>

#include "engine/base/uuid.h"

namespace skald::base {
namespace {

class SeededRandom final : public Random {
 public:
  explicit SeededRandom(uint64_t seed) : engine_(seed) {}
  uint64_t next() override { return engine_(); }

 private:
  std::mt19937_64 engine_;
};

}  // namespace

std::string Random::uuid() { return format_uuid_v4(next(), next()); }

std::unique_ptr<Random> make_seeded_random(uint64_t seed) { return std::make_unique<SeededRandom>(seed); }

std::unique_ptr<Random> make_system_random() {
  std::random_device device;
  const uint64_t high = device();
  return make_seeded_random(high << 32U | device());
}

}  // namespace skald::base
