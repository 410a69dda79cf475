#pragma once

#include <map>
#include <string>

namespace skald::sim {

// What happens beside the orders. What the engine or the library does not stand yet is off, and is to be turned on with
// its mend.
struct Life {
  bool counts = true;               // activities that heartbeat for minutes, and go on where they were
  bool deadlines = true;            // each deadline of an activity, met and missed
  bool chains = true;               // runs that continue as new, children that are retried and have children
  bool mailboxes = true;            // signals read against the clock
  bool branches = true;             // sagas whose steps run side by side, and none of whose branches fails
  bool orderly_restarts = true;     // beside the kills
  bool quiet_lives = true;          // the store's faults have pauses
  bool small_queues = false;        // that refuse tasks, before few and slow pollers; off: some wait for a restart
  bool races_keep_signals = false;  // a letter is not lost to the future that lost the race
  bool bad_signals = true;          // that cannot be read; and reasons that are tables
  bool branches_fail = false;       // beside a step that is under way
  bool handlers_fail = false;       // in the middle of a saga
  bool starts_survive = false;      // the starts and heartbeats of activities, a second later and at an orderly stop
  bool carried_signals = false;     // a run that continues as new takes along what it has not read, and what it knows
};

inline const std::map<std::string, bool Life::*> kLives = {
    {"counts", &Life::counts},
    {"deadlines", &Life::deadlines},
    {"chains", &Life::chains},
    {"mailboxes", &Life::mailboxes},
    {"branches", &Life::branches},
    {"orderly_restarts", &Life::orderly_restarts},
    {"quiet_lives", &Life::quiet_lives},
    {"small_queues", &Life::small_queues},
    {"races_keep_signals", &Life::races_keep_signals},
    {"bad_signals", &Life::bad_signals},
    {"branches_fail", &Life::branches_fail},
    {"handlers_fail", &Life::handlers_fail},
    {"starts_survive", &Life::starts_survive},
    {"carried_signals", &Life::carried_signals},
};

}  // namespace skald::sim
