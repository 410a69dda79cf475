#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <absl/status/status.h>
#include <absl/time/time.h>

#include "engine/base/clock.h"

namespace skald::sim {

// Knows what is done to the engine on purpose, and takes nothing else for it: an error, a warning, a wait or work that
// is done again must be explained by a fault, or it is a problem.
class Auditor {
 public:
  explicit Auditor(const base::Clock& clock) : clock_(clock), down_since_(clock.now()) {}

  // What is done on purpose.
  void injected(const absl::Status& fault);
  // A fault whose consequences last: until then, what it hits may be late.
  void disturbed_until(absl::Time end);
  void node_started();
  void node_ended();

  // What is seen. `what` begins the sentence.
  void refused(std::string_view what, const absl::Status& status);
  void warned(std::string_view text);
  // Something took from `began` until now, of which no more than `allowed` may be left when faults are subtracted.
  void took(std::string_view what, absl::Time began, absl::Duration allowed);
  void took(std::string_view what, absl::Time began, absl::Time ended, absl::Duration allowed);
  // Something was done again that was done at `first` already.
  void again(std::string_view what, absl::Time first);
  void blame(std::string problem);

  // Whether a fault, or its echo, touches the time between, ends included; and how much of it none does.
  bool disturbed(absl::Time begin, absl::Time end) const;
  absl::Duration undisturbed(absl::Time begin, absl::Time end) const;
  absl::Time now() const { return clock_.now(); }
  // What was found since the last call.
  std::vector<std::string> take_problems() { return std::exchange(problems_, {}); }

 private:
  bool explains(std::string_view text) const;
  void disturb(absl::Time begin, absl::Time end);

  const base::Clock& clock_;
  std::set<std::string, std::less<>> faults_;       // the texts of those that this life of the process has met
  std::map<absl::Time, absl::Time> disturbances_;   // begin and end; they do not overlap
  absl::Time lost_outcome_ = absl::InfinitePast();  // the last commit that may have to be undone without a fault's text
  absl::Time down_since_;
  bool down_ = true;
  std::vector<std::string> problems_;
};

}  // namespace skald::sim
