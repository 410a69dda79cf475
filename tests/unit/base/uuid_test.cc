#include "engine/base/uuid.h"

#include <set>

#include <gmock/gmock.h>

#include "engine/base/random.h"

namespace skald::base {
namespace {

TEST(Uuid, HasTheVersionAndVariantOfItsKind) {
  EXPECT_EQ(format_uuid_v4(0, 0), "00000000-0000-4000-8000-000000000000");
  EXPECT_EQ(format_uuid_v4(~uint64_t{0}, ~uint64_t{0}), "ffffffff-ffff-4fff-bfff-ffffffffffff");
}

TEST(Uuid, IsTellableFromOtherText) {
  EXPECT_TRUE(is_uuid("00000000-0000-4000-8000-00000000000F"));
  EXPECT_FALSE(is_uuid("00000000-0000-4000-8000-00000000000"));
  EXPECT_FALSE(is_uuid("00000000-0000-4000-8000-00000000000g"));
  EXPECT_FALSE(is_uuid("00000000x0000-4000-8000-000000000000"));
  EXPECT_FALSE(is_uuid(""));
}

TEST(Random, FollowsFromItsSeed) {
  EXPECT_EQ(make_seeded_random(7)->uuid(), make_seeded_random(7)->uuid());
  EXPECT_NE(make_seeded_random(7)->uuid(), make_seeded_random(8)->uuid());
}

TEST(Random, DrawsWithinItsBounds) {
  const auto random = make_seeded_random(1);
  std::set<uint64_t> drawn;
  for (int i = 0; i < 1000; ++i) {
    drawn.insert(random->below(3));
    const double unit = random->unit();
    EXPECT_GE(unit, 0);
    EXPECT_LT(unit, 1);
  }
  EXPECT_THAT(drawn, testing::ElementsAre(0, 1, 2));
}

}  // namespace
}  // namespace skald::base
