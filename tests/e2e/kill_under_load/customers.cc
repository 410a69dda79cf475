#include "tests/e2e/kill_under_load/customers.h"

#include <utility>

#include <absl/strings/str_cat.h>
#include <absl/time/clock.h>

#include "engine/base/text.h"

namespace skald::kills {

Customers::Customers(demo::ShopClient& client, demo::Intake samples, std::set<std::string> regretted)
    : client_(client), samples_(std::move(samples)), regretted_(std::move(regretted)) {}

void Customers::begin(size_t count) {
  for (size_t i = 0; i < count; ++i) order_next();
}

absl::Status Customers::finish(absl::Duration limit) {
  std::unique_lock lock(mutex_);
  closing_ = true;
  change_.wait_for(lock, absl::ToChronoNanoseconds(limit), [this] { return ended_ == promises_.size(); });
  if (ended_ == promises_.size()) return absl::OkStatus();
  return absl::DeadlineExceededError(
      absl::StrCat(promises_.size() - ended_, " of ", promises_.size(), " orders have not ended"));
}

bool Customers::await_progress(size_t count, absl::Duration limit) {
  std::unique_lock lock(mutex_);
  const size_t enough = ended_ + count;
  return change_.wait_for(lock, absl::ToChronoNanoseconds(limit), [&] { return ended_ >= enough; });
}

void Customers::order_next() {
  Promise* promise = nullptr;
  bool regretted = false;
  {
    const std::lock_guard lock(mutex_);
    if (closing_) return;
    const size_t number = promises_.size();
    const demo::Order& sample = samples_.orders[number % samples_.orders.size()];
    regretted = regretted_.contains(sample.id);
    promise = &promises_.emplace_back();
    promise->order = sample;
    promise->order.id = absl::StrCat(sample.id, "-", number / samples_.orders.size());
  }
  const absl::Time began = absl::Now();
  client_.start("order_fulfillment", demo::workflow_of(promise->order), demo::order_input(promise->order),
                [this, promise, regretted, began](const absl::Status& status) {
                  if (!status.ok()) return ended(*promise, {"", "failed", std::string(base::text(status)), {}, {}});
                  promise->started = true;
                  if (!regretted) return await(*promise, began);
                  client_.signal(demo::workflow_of(promise->order), "cancel", R"("the customer changed their mind")",
                                 [this, promise, began](const absl::Status& answer) {
                                   promise->cancelled = answer.ok();
                                   await(*promise, began);
                                 });
                });
}

void Customers::await(Promise& promise, absl::Time began) {
  const std::string id = demo::workflow_of(promise.order);
  client_.await(id, [this, &promise, id, began](const absl::StatusOr<std::string>& result) {
    ended(promise, demo::ending_of(id, result, absl::Now() - began));
  });
}

void Customers::ended(Promise& promise, demo::Ending ending) {
  {
    const std::lock_guard lock(mutex_);
    promise.ending = std::move(ending);
    ++ended_;
    change_.notify_all();
  }
  order_next();
}

}  // namespace skald::kills
