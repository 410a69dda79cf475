#include "plugins/llm/prompts.h"

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>

#include "plugins/llm/settings.h"
#include "plugins/sdk/activity_error.h"

namespace skald::plugin::llm {
namespace {

using nlohmann::json;
using testing::HasSubstr;

class PromptsTest : public testing::Test {
 protected:
  PromptsTest()
      : folder_(testing::TempDir() + "skald-prompts-" + testing::UnitTest::GetInstance()->current_test_info()->name()),
        library_(folder_, [this] { return now_; }) {
    std::filesystem::remove_all(folder_);
  }
  ~PromptsTest() override { std::filesystem::remove_all(folder_); }

  void write(int version, const std::string& sheet, const std::string& user = "user",
             const std::string& system = "system") {
    const std::string folder = folder_ + "/p/" + std::to_string(version);
    std::filesystem::create_directories(folder);
    std::ofstream(folder + "/prompt.json") << sheet;
    std::ofstream(folder + "/user.md") << user;
    std::ofstream(folder + "/system.md") << system;
  }
  static std::string sheet(const std::string& more = "") { return "{\"output\": {\"type\": \"object\"}" + more + "}"; }
  std::string problem(const std::string& sheet) {
    write(1, sheet);
    now_ += std::chrono::seconds(2);
    try {
      library_.get("p", {});
      return "";
    } catch (const ActivityError& e) {
      EXPECT_EQ(e.type, "PromptInvalid");
      EXPECT_FALSE(e.non_retryable);
      return e.what();
    }
  }

  const std::string folder_;
  PromptLibrary::Clock::time_point now_;
  PromptLibrary library_;
};

TEST_F(PromptsTest, AChangeIsSeenASecondLater) {
  write(1, sheet(), "one");
  const std::string before = library_.get("p", {})->hash;
  write(1, sheet(), "another");
  EXPECT_EQ(library_.get("p", {})->hash, before);
  now_ += std::chrono::seconds(1);
  EXPECT_NE(library_.get("p", {})->hash, before);
}

TEST_F(PromptsTest, ANewVersionIsSeenASecondLater) {
  write(1, sheet());
  EXPECT_EQ(library_.get("p", {})->version, 1);
  write(2, sheet());
  now_ += std::chrono::seconds(1);
  EXPECT_EQ(library_.get("p", {})->version, 2);
  EXPECT_EQ(library_.get("p", 1)->version, 1);
}

TEST_F(PromptsTest, EachFileCountsForTheHash) {
  write(1, sheet(), "a", "b");
  write(2, sheet(), "ab", "");
  write(3, sheet(), "a", "c");
  write(4, sheet(), "a", "b");
  const std::string hash = library_.get("p", 1)->hash;
  EXPECT_NE(library_.get("p", 2)->hash, hash);
  EXPECT_NE(library_.get("p", 3)->hash, hash);
  EXPECT_EQ(library_.get("p", 4)->hash, hash);
}

TEST_F(PromptsTest, MistakesAreToldWithFileAndLine) {
  EXPECT_THAT(problem("{\n  \"output\": {},\n  \"output\n}"), HasSubstr("p/1/prompt.json:3: it is not JSON"));
  EXPECT_THAT(problem("{\n\n  \"outputs\": {}}"), HasSubstr("p/1/prompt.json:3: there is no key \"outputs\""));
  EXPECT_THAT(problem("{}"), HasSubstr("\"output\", the schema of the decision, is missing"));
  EXPECT_THAT(problem(sheet(",\n \"max_tokens\": 0")), HasSubstr("prompt.json:2: max_tokens must be"));
  EXPECT_THAT(problem(sheet(",\n \"temperature\": 3")), HasSubstr("prompt.json:2: temperature must be"));
  EXPECT_THAT(problem(sheet(",\n\n \"tools\": [{}]")), HasSubstr("prompt.json:3: tools[0] needs \"activity\""));
  EXPECT_THAT(problem(sheet(",\n \"tools\": [{\"activity\": \"a\", \"bound\": {\"x\": \"order.id\"}}]")),
              HasSubstr("x must be bound to a path"));
  EXPECT_THAT(problem(sheet(",\n \"knowledge\": {\"query\": \"{{order}}\"}")), HasSubstr("prompt.json:2: the query"));
  EXPECT_THAT(problem("{\"output\": {\"properties\": {\"confidence\": {}}}}"), HasSubstr("confidence"));
}

TEST_F(PromptsTest, APromptIsUsableAgainAfterItsMistakeWasMended) {
  EXPECT_NE(problem("{"), "");
  EXPECT_EQ(problem(sheet()), "");
}

TEST_F(PromptsTest, AMissingFileIsNamed) {
  write(1, sheet());
  std::filesystem::remove(folder_ + "/p/1/user.md");
  try {
    library_.get("p", {});
    FAIL();
  } catch (const ActivityError& e) {
    EXPECT_THAT(e.what(), HasSubstr("p/1/user.md"));
  }
}

TEST(DefaultPrompts, AreInOrder) {
  PromptLibrary library(WORKFLOWS_FOLDER "/prompts");
  size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(WORKFLOWS_FOLDER "/prompts")) {
    EXPECT_NO_THROW(library.get(entry.path().filename().string(), {})) << entry.path();
    ++count;
  }
  EXPECT_GE(count, 3u);
}

TEST_F(PromptsTest, CommentsAreAllowed) { EXPECT_EQ(problem("{ // what comes out\n\"output\": {}}"), ""); }

// Why a configuration is refused; empty: it is not.
std::string refusal_of(const json& config) {
  try {
    read_settings(config, testing::TempDir());
  } catch (const std::runtime_error& e) {
    return e.what();
  }
  return "";
}

TEST(Settings, AUrlThatCannotBeAskedIsRefused) {
  for (const char* url : {"ftp://x", "models.example.com/v1", "https://", "http://a b"})
    EXPECT_THAT(refusal_of({{"url", url}}), HasSubstr("\"url\" must begin with http:// or https://")) << url;
  EXPECT_EQ(refusal_of({{"url", "https://models.example.com/v1/"}}), "");
  EXPECT_EQ(refusal_of(json::object()), "");
}

TEST(Settings, PromptsMustBeAFolder) {
  EXPECT_THAT(refusal_of({{"prompts", "nowhere"}}), HasSubstr("\"prompts\" must name a folder: there is none at"));
  EXPECT_EQ(refusal_of({{"prompts", "."}}), "");
}

TEST(Settings, EachSaysWhatItIsAndItsDefault) {
  json schema = settings_schema();
  const json redact = schema["redact"]["properties"];
  for (const char* key : {"emails", "phones", "cards", "ibans", "fields"}) schema[key] = redact[key];
  schema.erase("redact");
  for (const auto& [key, setting] : schema.items()) {
    EXPECT_TRUE(setting.contains("description")) << key;
    if (key != "url" && key != "api_key" && key != "model" && key != "embedding_model" && key != "prompts") {
      EXPECT_TRUE(setting.contains("default")) << key;
    }
  }
  EXPECT_EQ(schema["tries"]["default"], 3);
}

}  // namespace
}  // namespace skald::plugin::llm
