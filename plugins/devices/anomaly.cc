#include "plugins/devices/anomaly.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace skald::plugin::devices {
namespace {

constexpr double kSigmaOfMad = 1.4826;            // MAD of a normal distribution is 0.6745 sigma
constexpr double kSigmaOfMeanDeviation = 1.2533;  // its mean absolute deviation is 0.7979 sigma
constexpr double kErrorOfMedian = 1.2533;         // standard error of a median, in sigma / sqrt(n)
constexpr double kRelativeSpread = 1e-6;          // of a value that never changed
constexpr size_t kHandful = 5;

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 == 1) return *middle;
  return (*std::max_element(values.begin(), middle) + *middle) / 2;
}

double spread_of(const std::vector<double>& values, double centre) {
  std::vector<double> deviations;
  double sum = 0;
  for (const double value : values) {
    deviations.push_back(std::abs(value - centre));
    sum += deviations.back();
  }
  const double by_median = kSigmaOfMad * median(deviations);
  return by_median > 0 ? by_median : kSigmaOfMeanDeviation * sum / static_cast<double>(values.size());
}

std::string format(const char* pattern, double a, double b = 0, double c = 0) {
  char text[160];
  std::snprintf(text, sizeof text, pattern, a, b, c);
  return text;
}

std::string explain(const std::string& name, const ReadingScore& s, double recent_median, double threshold) {
  const std::string usual = format(" (usually %.4g, give or take %.2g)", s.usual, s.spread);
  const double z = std::max(std::abs(s.spike), std::abs(s.drift));
  if (z < threshold) return name + format(" is %.4g, as usual", s.value) + usual;
  if (std::abs(s.spike) >= std::abs(s.drift)) {
    return name + format(" is %.4g, %.1f spreads ", s.value, std::abs(s.spike)) + (s.spike > 0 ? "above" : "below") +
           " what is usual" + usual;
  }
  return name +
         format(" drifts: its last readings are about %.4g, %.1f standard errors ", recent_median, std::abs(s.drift)) +
         (s.drift > 0 ? "above" : "below") + " what is usual" + usual;
}

std::vector<double> values_of(const std::vector<Readings>& reports, const std::string& name) {
  std::vector<double> values;
  for (const Readings& report : reports) {
    const auto found = report.find(name);
    if (found != report.end()) values.push_back(found->second);
  }
  return values;
}

}  // namespace

ReadingScore score_reading(const std::string& name, const std::vector<double>& baseline,
                           const std::vector<double>& recent, size_t recent_wanted, const ScoreOptions& options) {
  ReadingScore result;
  result.value = recent.back();
  result.usual = median(baseline);
  const auto least = options.least_spread.find(name);
  result.spread = std::max({spread_of(baseline, result.usual), kRelativeSpread * std::max(1.0, std::abs(result.usual)),
                            least == options.least_spread.end() ? 0.0 : least->second});
  result.spike = (result.value - result.usual) / result.spread;
  double recent_median = result.value;
  if (recent.size() >= recent_wanted && recent_wanted > 1) {
    recent_median = median(recent);
    const double error = kErrorOfMedian * result.spread *
                         std::sqrt(1 / static_cast<double>(recent.size()) + 1 / static_cast<double>(baseline.size()));
    result.drift = (recent_median - result.usual) / error;
  }
  const double z = std::max(std::abs(result.spike), std::abs(result.drift)) / options.threshold;
  result.score = z > 1e6 ? 1 : z * z / (z * z + 1);
  result.explanation = explain(name, result, recent_median, options.threshold);
  return result;
}

std::map<std::string, ReadingScore> score_report(const std::vector<Readings>& baseline,
                                                 const std::vector<Readings>& recent, size_t recent_wanted,
                                                 const ScoreOptions& options) {
  std::map<std::string, ReadingScore> scores;
  for (const auto& [name, value] : recent.back()) {
    const auto usual = values_of(baseline, name);
    if (usual.size() < kHandful) continue;
    scores[name] = score_reading(name, usual, values_of(recent, name), recent_wanted, options);
  }
  return scores;
}

}  // namespace skald::plugin::devices
