#include "tests/sim/auditor.h"

#include <algorithm>
#include <utility>

#include <fmt/core.h>

namespace skald::sim {
namespace {

// Until what failed was tried again, and that may have met the work of the others who try again.
constexpr absl::Duration kEcho = absl::Milliseconds(1500);
// A lost outcome is asked for until it is known, and each question may fail.
constexpr absl::Duration kOutcomeKnown = absl::Seconds(3);
// The sentences of a run that is undone, or read back, without the fault's own text in it.
constexpr char kNotDurable[] = "the commit did not become durable";
constexpr char kReadBack[] = "state is being read back";
constexpr char kUndone[] = "the change was undone";
constexpr size_t kMostProblems = 20;

}  // namespace

void Auditor::injected(const absl::Status& fault) {
  faults_.emplace(fault.message());
  if (absl::IsUnknown(fault)) lost_outcome_ = now();
  disturbed_until(now() + kEcho);
}

void Auditor::disturbed_until(absl::Time end) { disturb(now(), end); }

void Auditor::node_started() {
  faults_.clear();
  down_ = false;
  // From the end of the life before until this one has caught up.
  disturb(down_since_, now() + kEcho);
}

void Auditor::node_ended() {
  down_ = true;
  down_since_ = now();
}

// They come in the order of their begins.
void Auditor::disturb(absl::Time begin, absl::Time end) {
  while (!disturbances_.empty() && std::prev(disturbances_.end())->second >= begin) {
    const auto last = std::prev(disturbances_.end());
    begin = std::min(begin, last->first);
    end = std::max(end, last->second);
    disturbances_.erase(last);
  }
  disturbances_[begin] = end;
}

bool Auditor::disturbed(absl::Time begin, absl::Time end) const {
  if (down_ && end >= down_since_) return true;
  const auto after = disturbances_.upper_bound(end);
  return after != disturbances_.begin() && std::prev(after)->second >= begin;
}

absl::Duration Auditor::undisturbed(absl::Time begin, absl::Time end) const {
  if (down_) end = std::min(end, down_since_);
  absl::Duration left = std::max(end - begin, absl::ZeroDuration());
  auto each = disturbances_.upper_bound(begin);
  if (each != disturbances_.begin()) --each;
  for (; each != disturbances_.end() && each->first <= end; ++each)
    left -= std::max(std::min(each->second, end) - std::max(each->first, begin), absl::ZeroDuration());
  return left;
}

bool Auditor::explains(std::string_view text) const {
  if (text.find(kNotDurable) != text.npos) return now() - lost_outcome_ < kOutcomeKnown;
  if (text.find(kReadBack) != text.npos || text.find(kUndone) != text.npos) return disturbed(now(), now());
  return std::any_of(faults_.begin(), faults_.end(),
                     [&](const std::string& fault) { return text.find(fault) != text.npos; });
}

void Auditor::refused(std::string_view what, const absl::Status& status) {
  if (!explains({status.message().data(), status.message().size()})) {
    blame(fmt::format("{} was refused, and no fault explains it: {}", what, status.ToString()));
  }
}

void Auditor::warned(std::string_view text) {
  if (!explains(text)) blame(fmt::format("the log has what no fault explains: {}", text));
}

void Auditor::took(std::string_view what, absl::Time began, absl::Duration allowed) {
  took(what, began, now(), allowed);
}

void Auditor::took(std::string_view what, absl::Time began, absl::Time ended, absl::Duration allowed) {
  const absl::Duration unexplained = undisturbed(began, ended);
  if (unexplained > allowed) {
    blame(fmt::format("{} took {}, of which no fault explains {}", what, absl::FormatDuration(ended - began),
                      absl::FormatDuration(unexplained)));
  }
}

void Auditor::again(std::string_view what, absl::Time first) {
  if (!disturbed(first, now())) blame(fmt::format("{} again, and no fault explains it", what));
}

void Auditor::blame(std::string problem) {
  if (problems_.size() < kMostProblems) problems_.push_back(std::move(problem));
}

}  // namespace skald::sim
