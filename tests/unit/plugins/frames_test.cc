#include "plugins/host/frames.h"

#include <gmock/gmock.h>
#include <skald/plugin/v1/isolation.pb.h>

namespace skald::plugins {
namespace {

std::string framed(const std::string& reason) {
  plugin::v1::Refused message;
  message.set_reason(reason);
  return frame_of(message);
}

std::string reason(std::string_view frame) {
  plugin::v1::Refused message;
  message.ParseFromArray(frame.data(), static_cast<int>(frame.size()));
  return message.reason();
}

TEST(FrameReaderTest, FindsFramesHoweverTheyAreCut) {
  const std::string bytes = framed("one") + framed("") + framed(std::string(1000, 'x'));
  for (const size_t step : {size_t{1}, size_t{3}, size_t{7}, bytes.size()}) {
    FrameReader reader(10000);
    std::vector<std::string> found;
    for (size_t i = 0; i < bytes.size(); i += step) {
      reader.append(std::string_view(bytes).substr(i, step));
      while (const auto frame = reader.next()) found.push_back(reason(*frame));
    }
    EXPECT_THAT(found, testing::ElementsAre("one", "", std::string(1000, 'x')));
  }
}

TEST(FrameReaderTest, RefusesAFrameThatIsTooLargeBeforeItsBytesCome) {
  FrameReader reader(100);
  reader.append(framed("fine"));
  reader.append({"\x65\0\0\0", 4});
  EXPECT_TRUE(reader.next());
  EXPECT_FALSE(reader.next());
  EXPECT_TRUE(reader.broken());
}

}  // namespace
}  // namespace skald::plugins
