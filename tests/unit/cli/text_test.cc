#include <gmock/gmock.h>

#include "cli/console.h"
#include "cli/payload.h"
#include "cli/time_text.h"
#include "cli/words.h"

namespace skald::cli {
namespace {

namespace enums = temporal::api::enums::v1;
using testing::HasSubstr;

TEST(Duration, IsReadAsPeopleTypeIt) {
  const std::vector<std::pair<const char*, absl::Duration>> cases = {
      {"30s", absl::Seconds(30)},         {"5m", absl::Minutes(5)},    {"1h30m", absl::Minutes(90)},
      {"250ms", absl::Milliseconds(250)}, {"1.5h", absl::Minutes(90)}, {"2d", absl::Hours(48)},
      {"1d12h", absl::Hours(36)},         {"0", absl::ZeroDuration()},
  };
  for (const auto& [text, duration] : cases) EXPECT_EQ(parse_duration(text), duration) << text;
}

TEST(Duration, IsRefusedIfItIsNone) {
  for (const char* text : {"", "soon", "5", "-5s", "inf", "5 s", "1d-2h", "d", "nand", "99999999d", "1h!", "1e400d"})
    EXPECT_EQ(parse_duration(text), std::nullopt) << text;
}

TEST(Duration, IsPrintedShort) {
  const std::vector<std::pair<absl::Duration, const char*>> cases = {
      {absl::Microseconds(900), "0ms"}, {absl::Milliseconds(850), "850ms"},  {absl::Milliseconds(1'250), "1.25s"},
      {absl::Seconds(10), "10s"},       {absl::Milliseconds(59'960), "60s"}, {absl::Seconds(192), "3m12s"},
      {absl::Minutes(5), "5m"},         {absl::Minutes(125), "2h05m"},       {absl::Hours(72), "3d"},
      {absl::Hours(76), "3d04h"},       {-absl::Seconds(2), "-2s"},
  };
  for (const auto& [duration, text] : cases) EXPECT_EQ(duration_text(duration), text);
}

TEST(Duration, SurvivesTheProtocol) {
  EXPECT_EQ(to_duration(to_proto(absl::Milliseconds(1'500))), absl::Milliseconds(1'500));
}

TEST(OneLine, HasNoControlCharactersAndIsCutBetweenCodePoints) {
  EXPECT_EQ(one_line("a\nb\033c"), "a b c");
  EXPECT_EQ(one_line("größer", 4), "grö…");
  EXPECT_EQ(one_line("größer", 6), "größer");
  EXPECT_EQ(columns("größer"), 6u);
}

TEST(JsonPayload, RefusesWhatIsNoJsonAndSaysWhere) {
  const std::vector<std::pair<const char*, const char*>> cases = {
      {"", "line 1, column 1: it ends too early"}, {"hello", "line 1, column 1"},
      {"{\"a\": }", "line 1, column 7: `}`"},      {"[1,\n2,,3]", "line 2, column 3: `,3]`"},
      {"{\"a\": 1", "it ends too early"},          {"1 2", "line 1, column 3: `2`"},
  };
  for (const auto& [text, place] : cases) {
    const auto payload = json_payload(text);
    ASSERT_FALSE(payload.ok()) << text;
    EXPECT_THAT(payload.status().ToString(), HasSubstr(place)) << text;
  }
}

TEST(PayloadText, ShowsJsonAndNamesTheRest) {
  temporal::api::common::v1::Payload payload = *json_payload("{\"a\":1}");
  EXPECT_EQ(payload_text(payload), "{\"a\":1}");
  (*payload.mutable_metadata())["encoding"] = "binary/null";
  EXPECT_EQ(payload_text(payload), "null");
  (*payload.mutable_metadata())["encoding"] = "binary/encrypted";
  EXPECT_EQ(payload_text(payload), "<7 bytes, binary/encrypted>");
}

TEST(Words, AreThoseOfTheDocuments) {
  EXPECT_EQ(status_name(enums::WORKFLOW_EXECUTION_STATUS_TIMED_OUT), "TimedOut");
  EXPECT_EQ(event_name(enums::EVENT_TYPE_ACTIVITY_TASK_SCHEDULED), "ActivityTaskScheduled");
  EXPECT_EQ(words(enums::TIMEOUT_TYPE_START_TO_CLOSE), "start to close");
}

}  // namespace
}  // namespace skald::cli
