#pragma once

#include <cstddef>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <utility>

namespace skald::plugin {

// So many at a time may be inside, and so many may wait in line to be; who comes then is refused. Thread-safe.
class Bulkhead : public std::enable_shared_from_this<Bulkhead> {
 public:
  // What one gets who asked to enter. A place is left with the object.
  class Place {
   public:
    enum class Kind { kInside, kFull, kGone };  // gone: he gave up, or it was stopped
    Place(Kind kind, std::shared_ptr<Bulkhead> bulkhead) : kind_(kind), bulkhead_(std::move(bulkhead)) {}
    Place(Place&&) = default;
    Place& operator=(Place&&) = delete;
    ~Place() {
      if (bulkhead_ != nullptr && kind_ == Kind::kInside) bulkhead_->leave();
    }
    Kind kind() const { return kind_; }

   private:
    Kind kind_;
    std::shared_ptr<Bulkhead> bulkhead_;
  };
  using Tell = std::function<void(Place)>;

  Bulkhead(size_t most_inside, size_t most_waiting) : most_inside_(most_inside), most_waiting_(most_waiting) {}

  // Tells once, at once or later, on any thread. `gone` is asked by sweep() while he waits.
  void enter(std::function<bool()> gone, Tell tell);
  void sweep();
  void stop();

 private:
  struct Waiter {
    std::function<bool()> gone;
    Tell tell;
  };
  void leave();

  const size_t most_inside_, most_waiting_;
  std::mutex mutex_;
  size_t inside_ = 0;
  bool stopped_ = false;
  std::list<Waiter> line_;
};

}  // namespace skald::plugin
