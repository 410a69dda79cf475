#include "engine/shard/wire_history.h"

#include <gtest/gtest.h>

namespace skald::shard {
namespace {

// The wire form of events first..last.
std::string history(int64_t first, int64_t last) {
  std::string bytes;
  for (int64_t id = first; id <= last; ++id) {
    temporal::api::history::v1::HistoryEvent event;
    event.set_event_id(id);
    event.mutable_marker_recorded_event_attributes()->set_marker_name("a marker");
    append_event(bytes, event);
  }
  return bytes;
}

TEST(WireHistory, IsSoundAsItWasWritten) {
  EXPECT_TRUE(is_sound(history(1, 1), 1, 1));
  EXPECT_TRUE(is_sound(history(7, 300), 7, 300));
}

TEST(WireHistory, IsNotSoundWithOtherEventsThanItShouldHold) {
  EXPECT_FALSE(is_sound(history(1, 3), 1, 4));
  EXPECT_FALSE(is_sound(history(1, 3), 1, 2));
  EXPECT_FALSE(is_sound(history(1, 3), 2, 4));
  EXPECT_FALSE(is_sound("", 1, 1));
}

TEST(WireHistory, IsNotSoundWhenItIsCutAnywhere) {
  const std::string whole = history(1, 3);
  for (size_t size = 0; size < whole.size(); ++size) EXPECT_FALSE(is_sound(whole.substr(0, size), 1, 3)) << size;
}

TEST(WireHistory, IsNotSoundWhenItsBytesAreOthers) {
  std::string torn = history(1, 3);
  torn.replace(torn.size() / 2, 4, "\xff\xff\xff\xff");
  EXPECT_FALSE(is_sound(torn, 1, 3));
  EXPECT_FALSE(is_sound("not a history at all", 1, 3));
}

}  // namespace
}  // namespace skald::shard
