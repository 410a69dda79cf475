#include "plugins/tools/settings_list.h"

#include <gtest/gtest.h>

namespace skald::plugins {
namespace {

using nlohmann::json;

json setting(const json& all, const std::string& key) {
  for (const json& each : all) {
    if (each["key"] == key) return each;
  }
  return nullptr;
}

TEST(SettingsList, IsFlatAndSaysWhatIsGiven) {
  const json schema = json::parse(R"({"required": ["url"], "properties": {
    "url": {"type": "string", "description": "Where"}, "mode": {"enum": ["fast", "slow"]}, "$folder": {},
    "retry": {"properties": {"tries": {"type": ["integer", "null"], "default": 3}, "key": {"secret": true}}}}})");
  const json all = list_settings(schema, {{"retry", {{"tries", 5}}}});
  EXPECT_EQ(
      setting(all, "url"),
      json::parse(
          R"({"key": "url", "type": "string", "required": true, "secret": false, "given": false, "description": "Where"})"));
  EXPECT_EQ(setting(all, "mode")["type"], "fast | slow");
  EXPECT_EQ(setting(all, "retry.tries")["type"], "integer | null");
  EXPECT_EQ(setting(all, "retry.tries")["default"], 3);
  EXPECT_EQ(setting(all, "retry.tries")["given"], true);
  EXPECT_EQ(setting(all, "retry.key")["secret"], true);
  EXPECT_TRUE(setting(all, "$folder").is_null());
}

TEST(SettingsList, HasTheHostsOwnOnce) {
  const json all = list_settings(json::parse(R"({"properties": {"limits": {}}})"), nullptr);
  EXPECT_TRUE(setting(all, "limits").is_null());
  EXPECT_EQ(setting(all, "limits.max_concurrent_activities")["default"], 1000);
  EXPECT_FALSE(list_settings(nullptr, nullptr).empty());
}

}  // namespace
}  // namespace skald::plugins
