#include "plugins/sdk/bulkhead.h"

namespace skald::plugin {

void Bulkhead::enter(std::function<bool()> gone, Tell tell) {
  Place::Kind kind = Place::Kind::kInside;
  {
    std::lock_guard lock(mutex_);
    if (stopped_) {
      kind = Place::Kind::kGone;
    } else if (inside_ < most_inside_) {
      ++inside_;
    } else if (line_.size() < most_waiting_) {
      line_.push_back({std::move(gone), std::move(tell)});
      return;
    } else {
      kind = Place::Kind::kFull;
    }
  }
  tell(Place(kind, shared_from_this()));
}

void Bulkhead::leave() {
  Waiter next;
  {
    std::lock_guard lock(mutex_);
    if (line_.empty()) {
      --inside_;
      return;
    }
    next = std::move(line_.front());
    line_.pop_front();
  }
  next.tell(Place(Place::Kind::kInside, shared_from_this()));
}

void Bulkhead::sweep() {
  std::list<Waiter> gone;
  {
    std::lock_guard lock(mutex_);
    for (auto at = line_.begin(); at != line_.end();) {
      const auto one = at++;
      if (one->gone()) gone.splice(gone.end(), line_, one);
    }
  }
  for (const Waiter& waiter : gone) waiter.tell(Place(Place::Kind::kGone, nullptr));
}

void Bulkhead::stop() {
  std::list<Waiter> gone;
  {
    std::lock_guard lock(mutex_);
    stopped_ = true;
    gone.swap(line_);
  }
  for (const Waiter& waiter : gone) waiter.tell(Place(Place::Kind::kGone, nullptr));
}

}  // namespace skald::plugin
