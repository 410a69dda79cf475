#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/unit/lua/history_driver.h"

namespace skald::lua::testing {

using nlohmann::json;

// The assisted order as it is delivered, against partners, models and people whose answers the tests give.
class AssistedOrderTest : public ::testing::Test {
 protected:
  using Answer = std::function<Outcome(const json& input)>;

  AssistedOrderTest();
  ~AssistedOrderTest() override;

  static json candidate(const std::string& carrier, int cost, int days);
  static json decision(const std::string& agent, const json& output, double confidence,
                       const std::string& source = "model");

  void answer(const std::string& type, Answer answer);
  void answer(const std::string& type, const json& result);
  void fails(const std::string& type, const std::string& error);
  void agent(const std::string& name, Answer answer) { agents_[name] = std::move(answer); }
  void decides(const std::string& name, const json& output, double confidence, const std::string& source = "model");
  // Some time after a person was asked.
  void later(absl::Duration wait, std::function<void()> happens);
  void person_says(const std::string& agent, const std::string& verdict, absl::Duration wait = absl::Minutes(5));
  void say(const std::string& agent, const std::string& verdict, const std::string& by = "ida");

  json run(const json& more = json::object());
  json status();
  bool did(const std::string& type) const { return heard_.count(type) > 0; }
  int times(const std::string& type) const { return did(type) ? static_cast<int>(heard_.at(type).size()) : 0; }
  json last(const std::string& type) const { return did(type) ? heard_.at(type).back() : json(); }

  HistoryDriver driver_;
  std::map<std::string, Answer> agents_;
  std::map<std::string, std::vector<json>> heard_;
};

}  // namespace skald::lua::testing
