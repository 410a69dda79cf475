#include "tests/bench/sagas/orders.h"

#include <algorithm>
#include <utility>

#include "temporal/api/history/v1/message.pb.h"
#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>
#include <absl/synchronization/notification.h>
#include <absl/time/clock.h>
#include <fmt/core.h>

#include "engine/shard/engine.h"

namespace skald::bench {
namespace {

constexpr char kQueue[] = "skald";
constexpr absl::Duration kPatience = absl::Minutes(3);
constexpr int kUnitsEach = 2;
constexpr int kPrice = 1999;

shard::wire::StartWorkflowExecutionRequest request_to(const std::string& type, const std::string& id,
                                                     const std::string& input) {
  shard::wire::StartWorkflowExecutionRequest request;
  request.set_namespace_("default");
  request.set_workflow_id(id);
  request.mutable_workflow_type()->set_name(type);
  request.mutable_task_queue()->set_name(kQueue);
  request.set_request_id(id);
  auto* payload = request.mutable_input()->add_payloads();
  (*payload->mutable_metadata())["encoding"] = "json/plain";
  payload->set_data(input);
  return request;
}

// The result of a run as its last event tells it.
absl::StatusOr<std::string> outcome(const shard::HistoryPage& page) {
  temporal::api::history::v1::History history;
  if (!history.ParseFromString(page.history) || history.events_size() == 0)
    return absl::DataLossError("a closed run has no last event");
  const auto& last = history.events(history.events_size() - 1);
  if (!last.has_workflow_execution_completed_event_attributes())
    return absl::InternalError(absl::StrCat("a run failed: ", last.ShortDebugString()));
  return last.workflow_execution_completed_event_attributes().result().payloads(0).data();
}

}  // namespace

Orders::Orders(server::Server& server, std::string prefix, std::string workflow)
    : server_(server), prefix_(std::move(prefix)), workflow_(std::move(workflow)) {}

absl::Status Orders::load_stock(int count) {
  return result_of(
             "stock_load", prefix_ + "stock",
             fmt::format(R"({{"items":[{{"sku":"{}goods","quantity":{}}}]}})", prefix_, int64_t{count} * kUnitsEach))
      .status();
}

absl::Status Orders::check_books(int count) {
  auto books = result_of("ledger_audit", prefix_ + "audit", "{}");
  if (!books.ok()) return books.status();
  if (absl::StrContains(*books, R"("balanced":false)"))
    return absl::InternalError("the books do not balance: " + *books);
  const std::string captured = fmt::format(R"("captured":{})", int64_t{count} * kPrice);
  if (!absl::StrContains(*books, captured))
    return absl::InternalError(absl::StrCat("not ", captured, " but: ", *books));
  return absl::OkStatus();
}

absl::Status Orders::run_closed(int count, int in_flight) {
  begin();
  for (int i = 0; i < count; ++i) {
    {
      std::unique_lock lock(mutex_);
      if (!change_.wait_for(lock, absl::ToChronoNanoseconds(kPatience),
                            [&] { return started_ - ended_ < in_flight || !problem_.ok(); }))
        break;
      if (!problem_.ok()) break;
    }
    start(next_number_++, absl::Now());
  }
  return finish(count);
}

absl::Status Orders::run_open(int count, absl::Duration interval) {
  begin();
  for (int i = 0; i < count; ++i) {
    const absl::Time due = began_ + i * interval;
    absl::SleepFor(due - absl::Now());
    start(next_number_++, due);
  }
  return finish(count);
}

void Orders::begin() {
  ended_ = started_ = 0;
  problem_ = absl::OkStatus();
  latencies_.clear();
  starts_.clear();
  began_ = absl::Now();
}

void Orders::start(int number, absl::Time due) {
  {
    const std::lock_guard lock(mutex_);
    ++started_;
  }
  const std::string id = absl::StrCat(prefix_, number);
  const std::string order = fmt::format(
      R"({{"order_id":"{}","items":[{{"sku":"{}goods","quantity":{}}}],"total":{},"currency":"EUR","country":"NO"}})",
      id, prefix_, kUnitsEach, kPrice);
  server_.engine().start_workflow({server_.namespace_settings("default")}, request_to(workflow_, id, order),
                                  [this, id, due](auto answer) {
                                    if (!answer.ok()) return ended(answer.status(), due);
                                    {
                                      const std::lock_guard lock(mutex_);
                                      starts_.push_back(absl::Now() - due);
                                    }
                                    await(id, due);
                                  });
}

void Orders::await(const std::string& workflow_id, absl::Time due) {
  shard::HistoryRequest request;
  request.workflow_id = workflow_id;
  request.wait_new_event = request.close_event_only = true;
  server_.engine().read_history({server_.namespace_settings("default"), absl::Now() + kPatience}, request,
                                [this, workflow_id, due](auto page) {
                                  if (!page.ok()) return ended(page.status(), due);
                                  if (page->history.empty() && !page->next_page_token.empty())
                                    return await(workflow_id, due);  // a long poll's end
                                  auto result = outcome(*page);
                                  if (result.ok() && !absl::StrContains(*result, "confirmed"))
                                    return ended(absl::InternalError("an order was not confirmed: " + *result), due);
                                  ended(result.status(), due);
                                });
}

void Orders::ended(absl::Status status, absl::Time due) {
  const std::lock_guard lock(mutex_);
  if (!status.ok() && problem_.ok()) problem_ = std::move(status);
  latencies_.push_back(absl::Now() - due);
  ++ended_;
  change_.notify_all();
}

absl::Status Orders::finish(int count) {
  std::unique_lock lock(mutex_);
  change_.wait_for(lock, absl::ToChronoNanoseconds(kPatience), [&] { return ended_ == started_; });
  took_ = absl::Now() - began_;
  std::sort(latencies_.begin(), latencies_.end());
  std::sort(starts_.begin(), starts_.end());
  if (!problem_.ok()) return problem_;
  if (ended_ != count) return absl::DeadlineExceededError(fmt::format("{} of {} orders ended", ended_, count));
  return absl::OkStatus();
}

absl::StatusOr<std::string> Orders::result_of(const std::string& type, const std::string& id,
                                              const std::string& input) {
  absl::Notification done;
  absl::StatusOr<std::string> result;
  const auto settings = server_.namespace_settings("default");
  server_.engine().start_workflow({settings}, request_to(type, id, input), [&](auto answer) {
    if (!answer.ok()) {
      result = answer.status();
      return done.Notify();
    }
    shard::HistoryRequest request;
    request.workflow_id = id;
    request.wait_new_event = request.close_event_only = true;
    server_.engine().read_history({settings, absl::Now() + kPatience}, request, [&](auto page) {
      result = page.ok() ? outcome(*page) : page.status();
      done.Notify();
    });
  });
  done.WaitForNotification();
  return result;
}

}  // namespace skald::bench
