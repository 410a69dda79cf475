#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/lua/history_driver.h"

// What comes from outside and cannot be read: by every door that it may take, no workflow task fails.
namespace skald::lua::testing {
namespace {

using namespace temporal::api::enums::v1;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;

struct Bytes {
  const char* name;
  std::string data;
  std::string encoding = "json/plain";
};

std::vector<Bytes> unreadable() {
  return {{"nothing", ""},
          {"half an object", R"({"a":)"},
          {"no JSON", "cancel"},
          {"no UTF-8", "\"\xff\xfe\""},
          {"deeper than is read", std::string(66, '[') + std::string(66, ']')},
          {"thousands deep", std::string(100'000, '[')},
          {"a number beyond all", R"({"total":1e999})"},
          {"an encoding of others", "1", "json/encrypted"},
          {"no encoding", "1", ""}};
}

// Runs `source` with what `play` does to it, once with a worker that keeps the run and once with one that forgets it.
template <typename Play>
void through_both(const std::string& source, Play play) {
  for (const bool forgets : {false, true}) {
    for (const Bytes& bytes : unreadable()) {
      SCOPED_TRACE(std::string(bytes.name) + (forgets ? ", forgotten" : ""));
      HistoryDriver driver("local skald = require 'skald'\n" + source);
      if (forgets) driver.forget_between_tasks();
      play(driver, bytes);
      EXPECT_EQ(driver.task_failure_text(), "");
      EXPECT_EQ(driver.replay(), "");
    }
  }
}

int markers(const HistoryDriver& driver) {
  int count = 0;
  for (const auto& event : driver.history().events()) {
    if (event.marker_recorded_event_attributes().marker_name() == "skald.dropped_signals") ++count;
  }
  return count;
}

TEST(Arrivals, AnInputThatCannotBeReadEndsTheRun) {
  through_both("return function(v) return 1 end", [](HistoryDriver& driver, const Bytes& bytes) {
    driver.encode_as(bytes.encoding);
    driver.start({bytes.data});
    driver.run();
    EXPECT_EQ(driver.status(), "failed");
    EXPECT_EQ(driver.failure().application_failure_info().type(), "InvalidInput");
    EXPECT_TRUE(driver.failure().application_failure_info().non_retryable());
    EXPECT_THAT(driver.failure().message(), HasSubstr("the input of order cannot be read: "));
  });
}

struct Reader {
  const char* name;
  const char* source;
};

const Reader kReaders[] = {
    {"handler", "return function() local said; skald.on_signal('word', function(v) said = v end)\n"
                "  skald.wait_until(function() return said end); return said end"},
    {"receive", "return function() local _, v = skald.signal('word'):receive(); return v end"},
    {"poll", "return function() local s = skald.signal('word')\n"
             "  skald.wait_until(function() return s:pending() > 0 end); local _, v = s:poll(); return v end"},
    {"next", "return function() return skald.signal('word'):next():get() end"},
    {"late", "return function() skald.sleep('1m'); local _, v = skald.signal('word'):receive(); return v end"},
};

TEST(Arrivals, ASignalThatCannotBeReadIsDroppedAndTold) {
  for (const Reader& reader : kReaders) {
    SCOPED_TRACE(reader.name);
    through_both(reader.source, [&](HistoryDriver& driver, const Bytes& bytes) {
      driver.start();
      driver.run_task();
      driver.encode_as(bytes.encoding);
      driver.signal("word", {bytes.data});
      driver.signal("word", {bytes.data});
      driver.run_task();
      EXPECT_EQ(driver.status(), "open");
      EXPECT_EQ(markers(driver), 1) << "one for what a task dropped";
      EXPECT_THAT(driver.log(), Contains(AllOf(HasSubstr("the signal 'word' (event "), HasSubstr(") is dropped, it cannot be read: "))));
      driver.encode_as("json/plain");
      driver.signal("word", {"7"});
      driver.run();
      EXPECT_EQ(driver.status(), "completed");
      EXPECT_EQ(driver.result(), "7");
    });
  }
}

TEST(Arrivals, TheMarkerNamesEventSignalAndReason) {
  HistoryDriver driver("local skald = require 'skald'\nreturn function() skald.sleep('1h') end");
  driver.start();
  driver.signal("word", {"{"});
  driver.run_task();
  for (const auto& event : driver.history().events()) {
    if (event.event_type() != EVENT_TYPE_MARKER_RECORDED) continue;
    const auto& details = event.marker_recorded_event_attributes().details();
    EXPECT_EQ(details.at("event_id").payloads(0).data(), "2");
    EXPECT_EQ(details.at("signal").payloads(0).data(), "\"word\"");
    EXPECT_THAT(details.at("reason").payloads(0).data(), HasSubstr("not JSON"));
    return;
  }
  FAIL() << "there is no marker";
}

TEST(Arrivals, ThousandsOfDroppedSignalsLeaveTheScriptItsCommands) {
  HistoryDriver driver("local skald = require 'skald'\nreturn function() skald.sleep('1m') end");
  driver.start();
  for (int i = 0; i < 12'000; ++i) driver.signal("word-" + std::to_string(i), {"{"});
  driver.run();
  EXPECT_EQ(driver.status(), "completed") << driver.task_failure_text();
  EXPECT_EQ(markers(driver), 24);
  EXPECT_EQ(driver.replay(), "");
}

TEST(Arrivals, NamesThatOnlyOthersThoughtOfTakeNoPlace) {
  HistoryDriver driver(
      "local skald = require 'skald'\nreturn function() skald.sleep('1m'); skald.on_signal('a', print); return "
      "skald.signal('b'):pending() end");
  driver.start();
  for (int i = 0; i < 11'000; ++i) driver.signal("word-" + std::to_string(i), {"1"});
  driver.run();
  EXPECT_EQ(driver.status(), "completed") << driver.task_failure_text();
}

TEST(Arrivals, SignalsThatFillTheMemoryAreDropped) {
  std::string texts = "[0";
  while (texts.size() < 1'900'000) texts += ",{}";
  HistoryDriver driver(
      "local skald = require 'skald'\nreturn function() local heard = 0\n"
      "  skald.on_signal('word', function(v) heard = heard + 1; skald.sleep('1h') end)\n"
      "  skald.sleep('1s'); return heard end");
  driver.start();
  driver.run_task();
  for (int i = 0; i < 6; ++i) driver.signal("word", {texts.substr(0, 899'999) + "]"});
  driver.run();
  EXPECT_EQ(driver.status(), "completed") << driver.task_failure_text();
  EXPECT_THAT(driver.log(), Contains(HasSubstr("the workflow has no memory left for it")));
  EXPECT_GE(std::stoi(driver.result()), 1);
  EXPECT_EQ(driver.replay(), "");
}

TEST(Arrivals, AResultThatCannotBeReadIsAnErrorOfUnknownOutcome) {
  const char* source =
      "return function() local ok, e = pcall(skald.activity('a', { start_to_close = 1 }))\n"
      "  return { ok, skald.is_error(e), e.type, e.kind, e.activity, e.non_retryable } end";
  through_both(source, [](HistoryDriver& driver, const Bytes& bytes) {
    driver.on_activity("a", [&](const auto&) { return Outcome::result(bytes.data); });
    driver.start();
    driver.encode_as(bytes.encoding);
    driver.run();
    EXPECT_EQ(driver.result(), R"([false,true,"UnreadableResult","application","a",false])");
  });
}

TEST(Arrivals, AChildsResultThatCannotBeReadIsAnErrorToo) {
  const char* source =
      "return function() local ok, e = pcall(skald.child('kid')); return { ok, e.type, e.child } end";
  through_both(source, [](HistoryDriver& driver, const Bytes& bytes) {
    driver.on_child("kid", [&](const auto&) { return Outcome::result(bytes.data); });
    driver.start();
    driver.encode_as(bytes.encoding);
    driver.run();
    EXPECT_EQ(driver.result(), R"([false,"UnreadableResult","kid"])");
  });
}

TEST(Arrivals, AQueryWithArgumentsThatCannotBeReadFailsAlone) {
  through_both("skald.on_query('q', function(v) return v end)\nreturn function() skald.sleep('1h') end",
               [](HistoryDriver& driver, const Bytes& bytes) {
                 driver.start();
                 driver.run_task();
                 driver.encode_as(bytes.encoding);
                 EXPECT_THAT(driver.query("q", {bytes.data}), HasSubstr("error: "));
                 driver.encode_as("json/plain");
                 EXPECT_EQ(driver.query("q", {"3"}), "3");
               });
}

TEST(Arrivals, AMemoThatCannotBeReadIsAbsentAndLoggedOnce) {
  const char* source =
      "return function() return { a = skald.info().memo.bad == nil, b = skald.info().memo.bad == nil } end";
  through_both(source, [](HistoryDriver& driver, const Bytes& bytes) {
    driver.set_memo("bad", bytes.data);
    driver.encode_as(bytes.encoding);
    driver.start();
    driver.run();
    // The input is none; only the memo cannot be read.
    EXPECT_EQ(driver.result(), R"({"a":true,"b":true})");
    ASSERT_EQ(driver.log().size(), 1u);
    EXPECT_THAT(driver.log()[0], HasSubstr("memo bad is left out, it cannot be read: "));
  });
}

TEST(Arrivals, DetailsOfAFailureThatCannotBeReadAreAbsent) {
  through_both("return function() local ok, e = pcall(skald.activity('a', { start_to_close = 1 })); return { e.type, "
               "e.details == nil } end",
               [](HistoryDriver& driver, const Bytes& bytes) {
                 driver.on_activity("a", [&](const auto&) {
                   Outcome outcome = Outcome::refusal("Refused");
                   outcome.json = bytes.data;
                   return outcome;
                 });
                 driver.start();
                 driver.run();
                 if (bytes.encoding == "json/plain") {
                   EXPECT_EQ(driver.result(), R"(["Refused",true])");
                 }
               });
}

TEST(Arrivals, AFailureNestedThousandsDeepIsCutAndLeavesTheWorkflow) {
  for (const int causes : {20, 90, 120, 5'000}) {
    SCOPED_TRACE(causes);
    for (const char* source : {"return function() skald.activity('a', { start_to_close = 1 })() end",
                               "return function() local ok, e = pcall(skald.activity('a', { start_to_close = 1 }))\n"
                               "  skald.fail { type = 'Mine', message = 'm', cause = e } end"}) {
      HistoryDriver driver(std::string("local skald = require 'skald'\n") + source);
      driver.on_activity("a", [&](const auto&) {
        Outcome outcome = Outcome::refusal("Refused");
        outcome.causes = causes;
        return outcome;
      });
      driver.start();
      driver.run();
      EXPECT_EQ(driver.status(), "failed") << driver.task_failure_text();
      EXPECT_EQ(driver.replay(), "");
    }
  }
}

TEST(Arrivals, AReasonMayBeAnyValue) {
  struct Case {
    const char* json;
    const char* message;
  };
  for (const Case& each : std::initializer_list<Case>{{R"({"reason":"x"})", R"({"reason":"x"})"},
                                                      {R"(["a",1])", R"(["a",1])"},
                                                      {"17", "17"},
                                                      {"true", "true"},
                                                      {"null", "cancelled"},
                                                      {"\"late\"", "late"}}) {
    SCOPED_TRACE(each.json);
    HistoryDriver scope(
        "local skald = require 'skald'\nreturn function()\n"
        "  local ok, e = pcall(skald.scope, function(s)\n"
        "    skald.on_signal('cancel', function(why) s:cancel(why) end); skald.sleep('1h') end)\n"
        "  return e.message end");
    scope.start();
    scope.run_task();
    scope.signal("cancel", {each.json});
    scope.run();
    EXPECT_EQ(scope.status(), "completed") << scope.task_failure_text();
    EXPECT_EQ(scope.result(), "\"" + [&] {
      std::string quoted;
      for (const char* c = each.message; *c != 0; ++c) quoted += *c == '"' ? std::string("\\\"") : std::string(1, *c);
      return quoted;
    }() + "\"");

    HistoryDriver future(
        "local skald = require 'skald'\nreturn function(why) local t = skald.timer('1h'); t:cancel(why)\n"
        "  local b = skald.async(function() skald.sleep('1h') end); b:cancel(why)\n"
        "  local ok, e = t:try(); return e.kind end");
    future.start({each.json});
    future.run();
    EXPECT_EQ(future.result(), "\"cancelled\"") << future.task_failure_text();

    HistoryDriver external(
        "local skald = require 'skald'\nreturn function(why) skald.cancel_external('other', why); return 1 end");
    external.start({each.json});
    external.run();
    EXPECT_EQ(external.result(), "1") << external.task_failure_text();
  }
}

TEST(Arrivals, OfALongReasonOnlyTheBeginningIsKept) {
  HistoryDriver driver(
      "local skald = require 'skald'\nreturn function()\n"
      "  local ok, e = pcall(skald.scope, function(s)\n"
      "    skald.on_signal('cancel', function(why) s:cancel(why) end)\n"
      "    for i = 1, 1500 do skald.timer('1h') end; skald.sleep('1h') end)\n"
      "  return #e.message end");
  driver.start();
  driver.run_task();
  driver.signal("cancel", {"\"" + std::string(1'500'000, 'x') + "\""});
  driver.run();
  EXPECT_EQ(driver.result(), "1003") << driver.task_failure_text();
}

TEST(Arrivals, ALogLineThatCannotBeWrittenFailsNothing) {
  HistoryDriver driver(
      "local skald = require 'skald'\nreturn function(v) skald.log.info('heard', { f = print }); return 1 end");
  driver.start();
  driver.run();
  EXPECT_EQ(driver.result(), "1") << driver.task_failure_text();
  EXPECT_THAT(driver.log(), Contains(HasSubstr("heard (its fields cannot be written: fields.f: a function")));
}

TEST(Arrivals, WhatCameInGoesOutAlsoWhenItIsWrapped) {
  HistoryDriver driver("return function(v) return { v = { v = { v = v } } } end");
  driver.start({std::string(64, '[') + std::string(64, ']')});
  driver.run();
  EXPECT_EQ(driver.status(), "completed") << driver.task_failure_text();
}

}  // namespace
}  // namespace skald::lua::testing
