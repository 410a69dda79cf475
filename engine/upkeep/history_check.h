#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "temporal/api/enums/v1/event_type.pb.h"

#include "engine/store/rows.h"
#include "engine/upkeep/report.h"
#include "skald/state/v1/state.pb.h"

namespace skald::upkeep {

// Looks at the history of one run, chunk after chunk: every event from 1 to the last that the state knows, once; what
// the state waits for was begun by an event; a closed run's last event is the one that closed it.
class HistoryCheck {
 public:
  // `name` names the run in sentences.
  HistoryCheck(const skald::state::v1::RunState& state, std::string name);

  // In the order of their first events.
  void chunk(const store::HistoryChunk& chunk, Report& report);
  // After the last one.
  void finish(Report& report);

 private:
  void violation(const std::string& what, Report& report);
  // What is wrong with the events of the chunk; empty if nothing.
  std::string read(const store::HistoryChunk& chunk);
  void expect_begun(const skald::state::v1::RunState& state);

  const std::string name_;
  const std::string workflow_type_;
  const int status_;
  const int64_t end_;                                             // the first event that must not be there
  const int64_t size_bytes_;                                      // as the state counts
  std::map<int64_t, temporal::api::enums::v1::EventType> begun_;  // events that the state's pending things stand on
  int64_t next_ = 1;
  int64_t bytes_ = 0;
  int64_t last_seconds_ = 0;
  int64_t last_nanos_ = 0;
  int last_type_ = 0;
  bool broken_ = false;  // what follows is not looked at: it would be wrong all over
};

}  // namespace skald::upkeep
