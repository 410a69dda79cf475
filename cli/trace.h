#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "temporal/api/history/v1/message.pb.h"
#include <absl/time/time.h>

#include "cli/console.h"

namespace skald::cli {

enum class StepState { kOpen, kDone, kFailed, kCanceled, kInstant };

// One thing that the run did or met: an activity, a timer, a child, a message to another workflow, a signal, a failed
// workflow task.
struct Step {
  std::string kind;  // activity
  std::string name;  // payment.charge
  std::string id;    // activity, timer or child workflow id
  StepState state = StepState::kOpen;
  std::string state_text;  // completed; empty while open
  absl::Time scheduled = absl::InfinitePast();
  absl::Time started = absl::InfinitePast();   // of the last attempt; infinite past: not known
  absl::Time finished = absl::InfinitePast();  // infinite past: open
  absl::Time due = absl::InfiniteFuture();     // when a timer fires
  std::string run_id;                          // of a child that started
  int attempts = 0;                            // 0: not known
  std::string input, result;
  std::string last_failure;  // of the attempts before the last
  std::string failure;       // the one that ended it: the chain of causes
};

// The story of one run, told from its history.
class Trace {
 public:
  // Events in their order, from the first.
  void add(const temporal::api::history::v1::HistoryEvent& event);

  const std::vector<Step>& steps() const { return steps_; }
  const temporal::api::history::v1::HistoryEvent& first_event() const { return first_; }
  const temporal::api::history::v1::HistoryEvent& last_event() const { return last_; }

 private:
  using Event = temporal::api::history::v1::HistoryEvent;

  bool add_activity(const Event& event);
  bool add_timer(const Event& event);
  bool add_child(const Event& event);
  bool add_message(const Event& event);
  void add_moment(const Event& event);

  Step& begin(const Event& event, std::string kind, std::string name, std::string id);
  // The step that the event with this id began; null if it is not part of the history.
  Step* step_of(int64_t event_id);
  void end(int64_t begun_by, const Event& event, StepState state, std::string state_text, std::string failure = "",
           std::string result = "");

  std::vector<Step> steps_;
  std::unordered_map<int64_t, size_t> by_event_;
  Event first_, last_;
};

}  // namespace skald::cli
