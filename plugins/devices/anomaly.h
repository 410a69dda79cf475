#pragma once

#include <map>
#include <string>
#include <vector>

namespace skald::plugin::devices {

// How unusual a device's readings are, measured against what was usual for it.
//
// What is usual is learnt from the first reports after the device was registered or recalibrated, and then stays: a
// window that moved along would learn a slow drift as the new normal. Centre and spread are the median and the median
// absolute deviation (MAD) of that baseline, because up to half of it may be wrong without moving them far (a mean and
// a standard deviation give way to a single spike, and then hide the next one). Two questions are asked of a reading:
//
//   spike: the modified z-score 0.6745 (x - median) / MAD (B. Iglewicz, D. C. Hoaglin, "How to Detect and Handle
//          Outliers", ASQC 1993, who call what is beyond 3.5 a potential outlier);
//   drift: how far the median of the last few readings is from the baseline's, in standard errors of the difference of
//          the two medians, 1.2533 sigma sqrt(1/k + 1/n), with sigma = 1.4826 MAD. Each reading may look harmless.
//
// Where more than half of a baseline is one and the same value the MAD is 0; then the mean absolute deviation takes its
// place (1.2533 times, as Iglewicz and Hoaglin have it), and never less than `least_spread`.
//
// With z the greater of the two, the score is z^2 / (z^2 + threshold^2): 0 at the usual value, 1/2 at the threshold,
// 0.8 at twice the threshold.
struct ScoreOptions {
  double threshold = 3.5;
  std::map<std::string, double> least_spread;  // by reading, as one standard deviation
};

using Readings = std::map<std::string, double>;

struct ReadingScore {
  double value = 0, usual = 0, spread = 0;  // the baseline's median, and its standard deviation as the MAD has it
  double spike = 0, drift = 0;              // z-scores with their sign; drift is 0 until there are enough readings
  double score = 0;
  std::string explanation;  // a sentence
};

// One reading, where `recent` are the last ones of it, itself at the end; fewer than `recent_wanted`: no drift yet.
ReadingScore score_reading(const std::string& name, const std::vector<double>& baseline,
                           const std::vector<double>& recent, size_t recent_wanted, const ScoreOptions& options);

// All readings of the last of `recent` reports. Those of which the baseline has less than a handful are left out.
std::map<std::string, ReadingScore> score_report(const std::vector<Readings>& baseline,
                                                 const std::vector<Readings>& recent, size_t recent_wanted,
                                                 const ScoreOptions& options);

}  // namespace skald::plugin::devices
