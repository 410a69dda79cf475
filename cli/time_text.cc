#include "cli/time_text.h"

#include <cctype>

#include <absl/strings/numbers.h>
#include <fmt/format.h>

namespace skald::cli {
namespace {

constexpr double kMaxDays = 36'500;  // a hundred years: more is a mistake of typing

// Splits off a leading `2d` or `1.5d`; false if there is none or it is malformed.
bool take_days(std::string_view& text, absl::Duration& days) {
  const size_t end = text.find('d');
  double count = 0;
  if (end == std::string_view::npos || !absl::SimpleAtod({text.data(), end}, &count)) return false;
  if (!(count >= 0 && count <= kMaxDays)) return false;
  days = absl::Hours(24) * count;
  text.remove_prefix(end + 1);
  return true;
}

std::string two_units(int64_t large, char large_unit, int64_t small, char small_unit) {
  if (small == 0) return fmt::format("{}{}", large, large_unit);
  return fmt::format("{}{}{:02}{}", large, large_unit, small, small_unit);
}

}  // namespace

std::optional<absl::Duration> parse_duration(std::string_view text) {
  if (text.empty() || (!std::isdigit(static_cast<unsigned char>(text.front())) && text.front() != '.'))
    return std::nullopt;
  absl::Duration days = absl::ZeroDuration();
  const bool has_days = take_days(text, days);
  absl::Duration rest = absl::ZeroDuration();
  if ((!has_days || !text.empty()) && !absl::ParseDuration({text.data(), text.size()}, &rest)) return std::nullopt;
  const absl::Duration all = days + rest;
  if (rest < absl::ZeroDuration() || all > absl::Hours(24) * kMaxDays) return std::nullopt;
  return all;
}

std::string duration_text(absl::Duration duration) {
  if (duration < absl::ZeroDuration()) return "-" + duration_text(-duration);
  const int64_t ms = absl::ToInt64Milliseconds(duration);
  if (ms < 1'000) return fmt::format("{}ms", ms);
  if (ms < 60'000) {
    std::string seconds = fmt::format("{:.{}f}", static_cast<double>(ms) / 1'000, ms < 10'000 ? 2 : 1);
    seconds.erase(seconds.find_last_not_of('0') + 1);
    if (seconds.back() == '.') seconds.pop_back();
    return seconds + "s";
  }
  const int64_t seconds = ms / 1'000;
  if (seconds < 3'600) return two_units(seconds / 60, 'm', seconds % 60, 's');
  if (seconds < 86'400) return two_units(seconds / 3'600, 'h', seconds / 60 % 60, 'm');
  return two_units(seconds / 86'400, 'd', seconds / 3'600 % 24, 'h');
}

std::string time_text(absl::Time time) { return absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", time, absl::UTCTimeZone()); }
std::string time_text(const google::protobuf::Timestamp& time) { return time_text(to_time(time)); }

absl::Time to_time(const google::protobuf::Timestamp& time) {
  return absl::FromUnixSeconds(time.seconds()) + absl::Nanoseconds(time.nanos());
}

absl::Duration to_duration(const google::protobuf::Duration& duration) {
  return absl::Seconds(duration.seconds()) + absl::Nanoseconds(duration.nanos());
}

google::protobuf::Duration to_proto(absl::Duration duration) {
  google::protobuf::Duration proto;
  proto.set_seconds(absl::IDivDuration(duration, absl::Seconds(1), &duration));
  proto.set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(duration)));
  return proto;
}

}  // namespace skald::cli
