#pragma once

#include <cstddef>
#include <optional>

#include <absl/status/status.h>
#include <absl/time/time.h>

#include "engine/store/rows.h"

namespace skald::shard {

// What was worked on when a process died, and which workflows are left alone for it: one that took the process with it
// twice would do so again at every start, and no neighbour would get on. Thread-safe.
class Quarantine {
 public:
  // Deaths after which a workflow is in quarantine.
  static constexpr int kDeaths = 2;

  struct Suspect {
    int deaths = 0;        // of processes that worked on it, one shortly after the other
    absl::Time last_death;
  };

  virtual ~Quarantine() = default;

  // Notes that the workflow is being worked on, in a way that outlives the process; end() takes the note away. Must neither block
  // nor fail.
  virtual size_t begin(const store::WorkflowKey& workflow) = 0;
  virtual void end(size_t note) = 0;

  virtual std::optional<Suspect> suspect(const store::WorkflowKey& workflow) const = 0;
  // It is tried again: one more death, and it is in quarantine again.
  virtual void release(const store::WorkflowKey& workflow) = 0;

  bool holds(const store::WorkflowKey& workflow) const {
    const auto found = suspect(workflow);
    return found && found->deaths >= kDeaths;
  }
};

// What is answered to those who want something of a workflow in quarantine. UNAVAILABLE: they may come again when it is tried.
absl::Status in_quarantine(const store::WorkflowKey& workflow);

// A note as long as it lives. `quarantine` may be null.
class WorkNote {
 public:
  WorkNote(Quarantine* quarantine, const store::WorkflowKey& workflow)
      : quarantine_(quarantine), note_(quarantine == nullptr ? 0 : quarantine->begin(workflow)) {}
  ~WorkNote() {
    if (quarantine_ != nullptr) quarantine_->end(note_);
  }
  WorkNote(const WorkNote&) = delete;
  WorkNote& operator=(const WorkNote&) = delete;

 private:
  Quarantine* quarantine_;
  size_t note_;
};

}  // namespace skald::shard
