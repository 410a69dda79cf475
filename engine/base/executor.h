#pragma once

#include <absl/functional/any_invocable.h>
#include <absl/time/time.h>

namespace skald::base {

using Task = absl::AnyInvocable<void()>;

// Runs tasks one at a time, in the order they were posted: whatever is touched only from one executor needs no lock.
// post and post_at may be called from any thread, from within a task too. Tasks must not block or throw.
class Executor {
 public:
  virtual ~Executor() = default;

  virtual void post(Task task) = 0;

  // Runs `task` once, not before `when`. There is no cancelling: a task that may be out of date checks that itself.
  virtual void post_at(absl::Time when, Task task) = 0;
};

}  // namespace skald::base
