// Cron schedules: minute hour day-of-month month day-of-week, in UTC; names such as @hourly; and `@every <duration>`.
#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_split.h>
#include <absl/time/civil_time.h>

#include <algorithm>
#include <bitset>
#include <map>

#include "engine/core/step.h"

namespace skald::core {
namespace {

struct Field {
  std::bitset<64> values;
  bool any = false;  // `*` or `?`
};

struct Schedule {
  Field minute;
  Field hour;
  Field day;
  Field month;
  Field weekday;
};

constexpr std::string_view kMonths[] = {"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"};
constexpr std::string_view kWeekdays[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};

bool parse_number(absl::string_view text, int lowest, bool months, bool weekdays, int& value) {
  std::string lower(text.data(), text.size());
  for (char& letter : lower) letter = static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
  if (months) {
    for (int i = 0; i < 12; ++i) {
      if (lower == kMonths[i]) return value = i + lowest, true;
    }
  }
  if (weekdays) {
    for (int i = 0; i < 7; ++i) {
      if (lower == kWeekdays[i]) return value = i, true;
    }
  }
  return absl::SimpleAtoi(lower, &value);
}

bool parse_field(absl::string_view text, int lowest, int highest, Field& field) {
  const bool months = lowest == 1 && highest == 12;
  const bool weekdays = highest == 7;
  for (const absl::string_view part : absl::StrSplit(text, ',')) {
    const std::vector<absl::string_view> stepped = absl::StrSplit(part, '/');
    if (stepped.size() > 2 || stepped[0].empty()) return false;
    int step = 1;
    if (stepped.size() == 2 && (!absl::SimpleAtoi(stepped[1], &step) || step < 1)) return false;
    int from = lowest;
    int to = highest;
    if (stepped[0] == "*" || stepped[0] == "?") {
      field.any = field.any || step == 1;
    } else {
      const std::vector<absl::string_view> range = absl::StrSplit(stepped[0], '-');
      if (range.size() > 2 || !parse_number(range[0], lowest, months, weekdays, from)) return false;
      to = stepped.size() == 2 ? highest : from;
      if (range.size() == 2 && !parse_number(range[1], lowest, months, weekdays, to)) return false;
    }
    if (from < lowest || to > highest || from > to) return false;
    for (int value = from; value <= to; value += step) field.values.set(static_cast<size_t>(weekdays && value == 7 ? 0 : value));
  }
  return true;
}

std::optional<Schedule> parse(const std::string& text) {
  static const std::map<std::string, std::string> kNamed = {{"@yearly", "0 0 1 1 *"}, {"@annually", "0 0 1 1 *"}, {"@monthly", "0 0 1 * *"},
                                                            {"@weekly", "0 0 * * 0"}, {"@daily", "0 0 * * *"},    {"@midnight", "0 0 * * *"},
                                                            {"@hourly", "0 * * * *"}};
  const auto named = kNamed.find(text);
  const std::vector<std::string> fields = absl::StrSplit(named == kNamed.end() ? text : named->second, ' ', absl::SkipEmpty());
  Schedule schedule;
  if (fields.size() != 5 || !parse_field(fields[0], 0, 59, schedule.minute) || !parse_field(fields[1], 0, 23, schedule.hour) ||
      !parse_field(fields[2], 1, 31, schedule.day) || !parse_field(fields[3], 1, 12, schedule.month) ||
      !parse_field(fields[4], 0, 7, schedule.weekday)) {
    return std::nullopt;
  }
  return schedule;
}

// As cron has it: when both days are restricted, either will do.
bool day_matches(const Schedule& schedule, absl::CivilDay day) {
  const bool of_month = schedule.day.values.test(static_cast<size_t>(day.day()));
  const int weekday = (static_cast<int>(absl::GetWeekday(day)) + 1) % 7;
  const bool of_week = schedule.weekday.values.test(static_cast<size_t>(weekday));
  return schedule.day.any || schedule.weekday.any ? of_month && of_week : of_month || of_week;
}

std::optional<absl::Duration> parse_every(const std::string& schedule) {
  constexpr std::string_view kEvery = "@every ";
  if (schedule.rfind(kEvery, 0) != 0) return std::nullopt;
  absl::Duration every;
  if (!absl::ParseDuration(schedule.substr(kEvery.size()), &every) || every < absl::Seconds(1)) return std::nullopt;
  return every;
}

}  // namespace

absl::Status check_cron(const std::string& schedule) {
  if (parse_every(schedule) || parse(schedule)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("invalid cron schedule \"", schedule, "\": expected five fields (minute hour day month weekday, UTC), @hourly and the like, or @every <duration>"));
}

std::optional<absl::Time> next_cron_time(const std::string& text, absl::Time last, absl::Time now) {
  const absl::TimeZone utc = absl::UTCTimeZone();
  if (now < last) return last;
  if (const auto every = parse_every(text)) {
    const absl::Time next = last + *every;
    return next >= now ? next : next + absl::Ceil(now - next, *every);
  }
  const auto schedule = parse(text);
  // A time that is just now is not over.
  const absl::Time from = std::max(last, now - absl::Nanoseconds(1));
  if (!schedule) return std::nullopt;
  constexpr int kYearsAhead = 5;  // 29 February comes within
  absl::CivilMinute minute = absl::ToCivilMinute(from, utc) + 1;
  const absl::CivilMinute end = minute + int64_t{kYearsAhead} * 366 * 24 * 60;
  while (minute < end) {
    if (!schedule->month.values.test(static_cast<size_t>(minute.month()))) {
      minute = absl::CivilMinute(absl::CivilMonth(minute) + 1);
    } else if (!day_matches(*schedule, absl::CivilDay(minute))) {
      minute = absl::CivilMinute(absl::CivilDay(minute) + 1);
    } else if (!schedule->hour.values.test(static_cast<size_t>(minute.hour()))) {
      minute = absl::CivilMinute(absl::CivilHour(minute) + 1);
    } else if (!schedule->minute.values.test(static_cast<size_t>(minute.minute()))) {
      ++minute;
    } else {
      return absl::FromCivil(minute, utc);
    }
  }
  return std::nullopt;
}

}  // namespace skald::core
