#include "plugins/sdk/http_retry.h"

#include <algorithm>
#include <cctype>

#include <curl/curl.h>

namespace skald::plugin {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kLongestPause = std::chrono::seconds(10);
constexpr milliseconds kLongestWait = std::chrono::minutes(1);
constexpr milliseconds kDay = std::chrono::hours(24);

bool may_repeat(const HttpResult& result, bool repeatable) {
  using Kind = HttpResult::Kind;
  if (result.streamed) return false;
  switch (result.kind) {
    case Kind::kAnswer:
      break;
    case Kind::kUnreachable:
      return true;
    case Kind::kTimeout:
    case Kind::kLost:
      return repeatable;
    default:
      return false;
  }
  const int status = result.response.status;
  return repeatable && (status == 429 || status == 502 || status == 503 || status == 504);
}

milliseconds pause_after(int tried, milliseconds first, double chance) {
  milliseconds most = first;
  for (int i = 1; i < tried && most < kLongestPause; ++i) most *= 2;
  most = std::min(most, kLongestPause);
  return milliseconds(static_cast<int64_t>(static_cast<double>(most.count()) * chance));
}

}  // namespace

std::optional<milliseconds> retry_after(const std::string& value, std::chrono::system_clock::time_point now) {
  if (value.empty()) return std::nullopt;
  if (std::all_of(value.begin(), value.end(), [](unsigned char c) { return std::isdigit(c) != 0; }))
    return value.size() > 6 ? kDay : std::min<milliseconds>(std::chrono::seconds(std::stol(value)), kDay);
  const time_t date = curl_getdate(value.c_str(), nullptr);
  if (date == -1) return std::nullopt;
  const auto wait = std::chrono::ceil<milliseconds>(std::chrono::system_clock::from_time_t(date) - now);
  return std::clamp(wait, milliseconds(0), kDay);
}

RetryPlan plan_retry(const HttpResult& result, const RetryRules& rules, int tried, milliseconds remaining,
                     double chance, std::chrono::system_clock::time_point now) {
  if (tried >= rules.tries || !may_repeat(result, rules.repeatable)) return {};
  milliseconds wait = pause_after(tried, rules.first, chance);
  if (const std::string* header = result.response.header("Retry-After"))
    wait = std::max(wait, retry_after(*header, now).value_or(milliseconds(0)));
  const bool fits = wait < remaining && wait <= kLongestWait;
  return {fits ? RetryPlan::Next::kAgain : RetryPlan::Next::kTooLate, wait};
}

}  // namespace skald::plugin
