#include <gmock/gmock.h>

#include "tests/unit/kit/raw_server.h"
#include "tests/unit/plugins/host_fixture.h"

namespace skald::plugins {
namespace {

using plugin::RawConnection;
using plugin::RawServer;
using testing::ElementsAre;
using testing::HasSubstr;

class AsyncActivity : public HostTest {
 protected:
  AsyncActivity() { configure("waiter", {{"greeting", "hello"}}); }
  void load_waiter() { load_fixture("waiter"); }
  int64_t books() { return result({.type = "waiter.count"}).at("books"); }
};

TEST_F(AsyncActivity, Completes) {
  load_waiter();
  EXPECT_EQ(result({.type = "waiter.nap", .input = {{"ms", 1}}, .workflow = "w7"}),
            json({{"slept", 1}, {"workflow", "w7"}}));
}

TEST_F(AsyncActivity, CallsServices) {
  RawServer server([](RawConnection& connection) {
    connection.read_request();
    connection.write(plugin::answer(200, "hello"));
  });
  load_waiter();
  EXPECT_EQ(result({.type = "waiter.get", .input = {{"url", server.url()}}}), "hello");
  EXPECT_EQ(result({.type = "waiter.fetch", .input = {{"url", server.url()}}}), "hello");
}

TEST_F(AsyncActivity, ThousandsWaitOnFewThreads) {
  configure("waiter", {{"greeting", "hello"}, {"threads", 2}, {"limits", {{"max_concurrent_activities", 2000}}}});
  load_waiter();
  std::vector<std::future<Outcome>> napping;
  for (int i = 0; i < 2000; ++i) napping.push_back(start({.type = "waiter.nap", .input = {{"ms", 50}}}));
  for (auto& each : napping) EXPECT_EQ(result(each.get()).at("slept"), 50);
}

TEST_F(AsyncActivity, FailsWithWhatItThrows) {
  load_waiter();
  const Failure failed = failure({.type = "waiter.refuse", .input = {{"why", "expired"}}});
  EXPECT_EQ(failed.message(), "expired");
  const auto& info = failed.application_failure_info();
  EXPECT_EQ(info.type(), "CardDeclined");
  EXPECT_TRUE(info.non_retryable());
  EXPECT_EQ(info.details().payloads(0).data(), R"({"card":"1234"})");
  EXPECT_EQ(info.next_retry_delay().seconds(), 5);
  EXPECT_EQ(error({.type = "waiter.refuse"}), "InvalidInput");
  EXPECT_EQ(error({.type = "waiter.not_begun"}), "InvalidInput");
  EXPECT_EQ(error({.type = "waiter.not_text"}), "InvalidResult");
}

TEST_F(AsyncActivity, AppliesAnEffectOnce) {
  load_waiter();
  const Task task{.type = "waiter.book", .input = {{"title", "Emma"}, {"price", 5}}};
  const json booked = result(task);
  EXPECT_EQ(booked["first"]["key"], "/default/book/=Emma");
  EXPECT_EQ(booked["again"], booked["first"]);
  EXPECT_EQ(result(task), booked);
  EXPECT_EQ(books(), 1);
  EXPECT_EQ(error({.type = "waiter.book", .input = {{"title", "Emma"}, {"price", 6}}}), "IdempotencyConflict");
}

TEST_F(AsyncActivity, FailsAsItsEffectDoes) {
  load_waiter();
  const Failure failed = failure({.type = "waiter.book", .input = {{"title", "unprintable"}}});
  EXPECT_EQ(failed.application_failure_info().type(), "NotPrinted");
  EXPECT_TRUE(failed.application_failure_info().non_retryable());
  EXPECT_EQ(failed.application_failure_info().details().payloads(0).data(), R"({"title":"unprintable"})");
  EXPECT_EQ(error({.type = "waiter.book"}), "InvalidInput");
  EXPECT_EQ(books(), 0);
}

TEST_F(AsyncActivity, NeedsBooksToApplyAnEffect) {
  configure("bookless", {{"greeting", "hello"}});
  load_fixture("bookless");
  EXPECT_EQ(error({.type = "bookless.book", .input = {{"title", "Emma"}}}), "NoBooks");
}

TEST_F(AsyncActivity, IsCancelled) {
  load_waiter();
  auto napping = start({.type = "waiter.nap", .input = {{"ms", 3600000}}}, [](auto, auto cancelled) { cancelled(); });
  EXPECT_TRUE(std::holds_alternative<worker::ActivityCancelled>(napping.get()));
}

TEST_F(AsyncActivity, IsGivenBackAfterItsDeadline) {
  load_waiter();
  EXPECT_EQ(error({.type = "waiter.nap", .input = {{"ms", 3600000}}, .timeout = absl::Milliseconds(30)}), "Timeout");
  host_->stop(absl::Minutes(1));  // waits for it
  EXPECT_EQ(host_->plugin_meters().at("waiter").held, 0);
}

TEST_F(AsyncActivity, EndsWithItsHost) {
  std::promise<void> arrived;
  RawServer server([&arrived](RawConnection& connection) {
    connection.read_request();
    arrived.set_value();
    connection.wait_closed();
  });
  load_waiter();
  auto asking = start({.type = "waiter.get", .input = {{"url", server.url()}}});
  auto napping = start({.type = "waiter.nap", .input = {{"ms", 3600000}}});
  arrived.get_future().get();
  host_->stop(absl::ZeroDuration());
  EXPECT_EQ(error(asking.get()), "HostStopping");
  EXPECT_EQ(error(napping.get()), "HostStopping");
  load();  // the same plugin once more
  EXPECT_EQ(result({.type = "waiter.nap", .input = {{"ms", 1}}}).at("slept"), 1);
}

TEST_F(AsyncActivity, RunsInAProcessOfItsOwn) {
  configure("waiter", {{"greeting", "hello"}, {"isolation", "process"}});
  load_waiter();
  EXPECT_EQ(result({.type = "waiter.nap", .input = {{"ms", 1}}}).at("slept"), 1);
  const json booked = result({.type = "waiter.book", .input = {{"title", "Emma"}}});
  EXPECT_EQ(booked["again"], booked["first"]);
  auto napping = start({.type = "waiter.nap", .input = {{"ms", 3600000}}}, [](auto, auto cancelled) { cancelled(); });
  EXPECT_TRUE(std::holds_alternative<worker::ActivityCancelled>(napping.get()));
}

TEST_F(AsyncActivity, HasTheSandboxsFaults) {
  load_waiter();
  const auto book = [](const char* fault, int attempt) {
    const json sandbox = {{"book", {{"fault", fault}, {"times", 1}}}};
    return Task{.type = "waiter.book",
                .input = {{"title", fault}, {"sandbox", sandbox}},
                .attempt = attempt,
                .timeout = absl::Milliseconds(std::string(fault) == "timeout" ? 200 : 60000)};
  };
  EXPECT_EQ(error(book("fail", 1)), "SandboxFailure");
  EXPECT_EQ(books(), 0);
  EXPECT_EQ(error(book("lose_answer", 1)), "AnswerLost");
  EXPECT_EQ(books(), 1);
  EXPECT_EQ(result(book("lose_answer", 2))["first"]["title"], "lose_answer");
  EXPECT_EQ(error(book("timeout", 1)), "Timeout");
  EXPECT_EQ(error(book("delay", 1)), "");
  EXPECT_EQ(books(), 3);
}

TEST_F(AsyncActivity, SettingsThatMustBeThereAreAskedFor) {
  configure("waiter", json::object());
  load_waiter();
  EXPECT_THAT(host_->problems(), ElementsAre(HasSubstr("greeting")));
}

TEST_F(AsyncActivity, HttpSettingsAreChecked) {
  configure("waiter", {{"greeting", "hello"}, {"http", {{"tries", 0}}}});
  load_waiter();
  EXPECT_THAT(host_->problems(), ElementsAre(HasSubstr("http.tries")));
}

}  // namespace
}  // namespace skald::plugins
