#include "plugins/llm/sse.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>

namespace skald::plugin::llm {
namespace {

using testing::ElementsAre;

std::vector<std::string> events_of(const std::string& stream, size_t piece) {
  std::vector<std::string> events;
  SseParser parser([&](std::string_view data) { events.emplace_back(data); });
  for (size_t at = 0; at < stream.size(); at += piece)
    EXPECT_TRUE(parser.feed(std::string_view(stream).substr(at, piece)));
  parser.end();
  return events;
}

TEST(Sse, EventsAreTheSameHoweverTheStreamIsCut) {
  const std::string stream =
      ": hello\r\ndata: one\r\n\r\nevent: x\ndata: two\ndata:lines\n\ndata:\n\nid: 7\n\ndata: \xc3\xa4\r\r";
  for (size_t piece = 1; piece <= stream.size(); ++piece)
    EXPECT_THAT(events_of(stream, piece), ElementsAre("one", "two\nlines", "", "\xc3\xa4")) << piece;
}

TEST(Sse, TheLastEventNeedsNoEmptyLine) { EXPECT_THAT(events_of("data: last", 3), ElementsAre("last")); }

TEST(Sse, AByteOrderMarkIsSkipped) {
  EXPECT_THAT(events_of("\xef\xbb\xbf"
                        "data: a\n\n",
                        1),
              ElementsAre("a"));
}

TEST(Sse, AnEventThatIsTooLargeEndsIt) {
  SseParser parser([](std::string_view) {}, 10);
  EXPECT_TRUE(parser.feed("data: 1\n\ndata: 2\n\n"));
  EXPECT_FALSE(parser.feed("data: 3456789012345"));
}

}  // namespace
}  // namespace skald::plugin::llm
