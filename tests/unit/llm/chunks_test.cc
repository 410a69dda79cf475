#include "plugins/llm/chunks.h"

#include <gmock/gmock.h>

namespace skald::plugin::llm {
namespace {

using testing::ElementsAre;

TEST(Chunks, AShortTextIsOne) {
  EXPECT_THAT(chunks_of("  a text\n", 100, 20), ElementsAre("a text"));
  EXPECT_TRUE(chunks_of(" \n\t ", 100, 20).empty());
}

TEST(Chunks, EndWithParagraphsAndSentencesWhereTheyCan) {
  EXPECT_THAT(chunks_of("First part here.\n\nSecond part here. ", 30, 0),
              ElementsAre("First part here.", "Second part here."));
  EXPECT_THAT(chunks_of("One sentence is here. Then comes another one.", 30, 0),
              ElementsAre("One sentence is here.", "Then comes another one."));
}

TEST(Chunks, ShareTheirBordersAndLoseNothing) {
  std::string text;
  for (int i = 0; i < 200; ++i) text += "word" + std::to_string(i) + " ";
  const auto chunks = chunks_of(text, 100, 30);
  for (int i = 0; i < 200; ++i) {
    const std::string word = "word" + std::to_string(i);
    bool found = false;
    for (const std::string& chunk : chunks)
      found = found || (" " + chunk + " ").find(" " + word + " ") != std::string::npos;
    EXPECT_TRUE(found) << word;
  }
  for (size_t i = 1; i < chunks.size(); ++i) {
    const std::string first = chunks[i].substr(0, chunks[i].find(' '));
    EXPECT_NE(chunks[i - 1].find(first), std::string::npos) << i;
    EXPECT_LE(chunks[i].size(), 100u);
  }
}

TEST(Chunks, NeverCutACharacter) {
  std::string text;
  for (int i = 0; i < 100; ++i) text += "\xe4\xb8\xad";  // three bytes, no blanks
  std::string joined;
  for (const std::string& chunk : chunks_of(text, 100, 0)) {
    EXPECT_EQ(chunk.size() % 3, 0u);
    joined += chunk;
  }
  EXPECT_EQ(joined, text);
}

}  // namespace
}  // namespace skald::plugin::llm
