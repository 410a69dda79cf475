#include "plugins/host/line_log.h"

#include <algorithm>

#include <absl/strings/str_cat.h>
#include <absl/time/clock.h>

#include "plugins/host/plugin_log.h"

namespace skald::plugins {
namespace {

constexpr double kLinesPerSecond = 100;
constexpr double kMostAtOnce = 500;
constexpr size_t kLongestLine = 8 << 10;

}  // namespace

bool LineLog::admit() {
  const absl::Time now = absl::Now();
  allowance_ = std::min(kMostAtOnce, last_ == absl::InfinitePast()
                                         ? kMostAtOnce
                                         : allowance_ + absl::ToDoubleSeconds(now - last_) * kLinesPerSecond);
  last_ = now;
  if (allowance_ < 1) {
    ++dropped_;
    return false;
  }
  --allowance_;
  tell_dropped();
  return true;
}

void LineLog::log(int level, std::string_view text) {
  if (admit()) log_of_plugin(level, absl::StrCat("[", name_, "] ", std::string(text.substr(0, kLongestLine))));
}

void LineLog::append(std::string_view bytes) {
  while (!bytes.empty()) {
    const size_t end = std::min({bytes.find('\n'), bytes.size(), kLongestLine - line_.size()});
    line_.append(bytes.substr(0, end));
    const bool whole = end < bytes.size() && bytes[end] == '\n';
    bytes.remove_prefix(end + (whole ? 1 : 0));
    if (!whole && line_.size() < kLongestLine) return;
    if (!line_.empty()) log(1, line_);
    line_.clear();
  }
}

void LineLog::end() {
  if (!line_.empty()) log(1, line_);
  line_.clear();
  tell_dropped();
}

void LineLog::tell_dropped() {
  if (dropped_ == 0) return;
  log_of_plugin(2, absl::StrCat("[", name_, "] ", dropped_, " lines were too many, and are dropped"));
  dropped_ = 0;
}

}  // namespace skald::plugins
