#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "plugins/sdk/plugin.h"

namespace skald::plugin::devices {

// One report of a device, as it came.
struct Report {
  int64_t sequence;
  std::string at;
  std::string readings;  // a JSON object of numbers
};

// The reports of one device, in the plugin's tables. Every report is kept once; they are applied in the order of their
// sequence numbers. One that comes before its predecessors is held until they are there, or are given up; one that was
// given up and comes after all is sorted in ("late"). Used inside one effect.
class ReportLog {
 public:
  using Range = std::pair<int64_t, int64_t>;  // both ends belong to it

  static void create_tables(EffectStore& db);

  // Adds a device whose first report has the number `first`. Throws ActivityError "DeviceConflict" if it is there
  // already with another kind or site.
  static void add(EffectStore& db, const std::string& ns, const std::string& device, const std::string& kind,
                  const std::string& site, int64_t first);

  // Throws ActivityError "DeviceUnknown". `to_change`: locks the device's row until the commit.
  ReportLog(EffectStore& db, std::string ns, std::string device, bool to_change);

  // "applied", "held", "late" or "duplicate". Throws ActivityError "ReportConflict" when the number is taken by another
  // report, and "SequenceTooFar" when it is more than `furthest_ahead` after the next one, and
  // "SequenceTooOld" when it is before the device's first.
  std::string take(const Report& report, int64_t furthest_ahead);
  // What is missing up to `through` counts as lost from now on; what it held up is applied. Returns how many.
  int64_t give_up(int64_t through);
  // What is usual is learnt anew from here on. Returns the first number that counts.
  int64_t recalibrate();

  int64_t next() const { return next_; }              // the lowest number that is neither applied nor given up
  int64_t usual_from() const { return usual_from_; }  // where the baseline begins
  int64_t newest() const;                             // the highest applied number, 0 when there is none
  const std::vector<int64_t>& held() const { return held_; }
  std::vector<Range> missing() const;  // between next() and what is held
  // Applied and late reports from `first` on, in order, at most `limit`.
  std::vector<Report> from(int64_t first, int64_t limit) const;
  // The last `limit` of those before `end`, in order.
  std::vector<Report> before(int64_t end, int64_t least, int64_t limit) const;

 private:
  void advance();

  EffectStore& db_;
  const std::string ns_, device_;
  int64_t next_ = 0, usual_from_ = 0, first_ = 0;
  std::vector<int64_t> held_;  // ascending
};

}  // namespace skald::plugin::devices
