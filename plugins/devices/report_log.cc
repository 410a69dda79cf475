#include "plugins/devices/report_log.h"

#include <algorithm>

namespace skald::plugin::devices {
namespace {

const char* const kDevices =
    "CREATE TABLE IF NOT EXISTS devices (namespace VARCHAR(255) NOT NULL, device VARCHAR(500) NOT NULL, kind "
    "VARCHAR(255) NOT NULL, site VARCHAR(255) NOT NULL, first_seq BIGINT NOT NULL, next_seq BIGINT NOT NULL, "
    "usual_from BIGINT NOT NULL, received BIGINT NOT NULL, duplicates BIGINT NOT NULL, PRIMARY KEY (namespace, "
    "device))";
const char* const kReports =
    "CREATE TABLE IF NOT EXISTS reports (namespace VARCHAR(255) NOT NULL, device VARCHAR(500) NOT NULL, seq BIGINT NOT "
    "NULL, taken_at VARCHAR(64) NOT NULL, readings TEXT NOT NULL, state VARCHAR(16) NOT NULL, PRIMARY KEY (namespace, "
    "device, seq))";
const char* const kGivenUp =
    "CREATE TABLE IF NOT EXISTS given_up (namespace VARCHAR(255) NOT NULL, device VARCHAR(500) NOT NULL, first_seq "
    "BIGINT NOT NULL, last_seq BIGINT NOT NULL, PRIMARY KEY (namespace, device, first_seq))";

Report report_of(const Row& row) { return {number(row[0]), text(row[1]), text(row[2])}; }

}  // namespace

void ReportLog::create_tables(EffectStore& db) {
  for (const char* table : {kDevices, kReports, kGivenUp}) db.run(table);
}

void ReportLog::add(EffectStore& db, const std::string& ns, const std::string& device, const std::string& kind,
                    const std::string& site, int64_t first) {
  const auto known =
      db.run("SELECT kind, site FROM devices WHERE namespace = ? AND device = ? FOR UPDATE", {ns, device});
  if (known.empty()) {
    db.run(
        "INSERT INTO devices (namespace, device, kind, site, first_seq, next_seq, usual_from, received, duplicates) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, 0, 0)",
        {ns, device, kind, site, first, first, first});
  } else if (text(known[0][0]) != kind || text(known[0][1]) != site) {
    throw ActivityError("DeviceConflict",
                        "device " + device + " is registered already, as a " + text(known[0][0]) + " at " +
                            text(known[0][1]) + ": give this one another name",
                        true);
  }
}

ReportLog::ReportLog(EffectStore& db, std::string ns, std::string device, bool to_change)
    : db_(db), ns_(std::move(ns)), device_(std::move(device)) {
  const auto rows =
      to_change
          ? db_.run("SELECT next_seq, usual_from, first_seq FROM devices WHERE namespace = ? AND device = ? FOR UPDATE",
                    {ns_, device_})
          : db_.run("SELECT next_seq, usual_from, first_seq FROM devices WHERE namespace = ? AND device = ?",
                    {ns_, device_});
  if (rows.empty())
    throw ActivityError("DeviceUnknown", "there is no device " + device_ + ": register it (devices.register)", true);
  next_ = number(rows[0][0]);
  usual_from_ = number(rows[0][1]);
  first_ = number(rows[0][2]);
  for (const Row& row : db_.run("SELECT seq FROM reports WHERE namespace = ? AND device = ? AND seq > ? ORDER BY seq",
                                {ns_, device_, next_}))
    held_.push_back(number(row[0]));
}

std::string ReportLog::take(const Report& report, int64_t furthest_ahead) {
  if (report.sequence - next_ > furthest_ahead) {
    throw ActivityError("SequenceTooFar",
                        "report " + std::to_string(report.sequence) + " of device " + device_ +
                            " is too far ahead: the next one expected is " + std::to_string(next_),
                        true);
  }
  if (report.sequence < first_) {
    throw ActivityError("SequenceTooOld",
                        "report " + std::to_string(report.sequence) + " of device " + device_ +
                            " was before it was registered: its first one is " + std::to_string(first_),
                        true);
  }
  const auto seen = db_.run("SELECT taken_at, readings FROM reports WHERE namespace = ? AND device = ? AND seq = ?",
                            {ns_, device_, report.sequence});
  const bool duplicate = !seen.empty();
  if (duplicate && (text(seen[0][0]) != report.at || text(seen[0][1]) != report.readings)) {
    throw ActivityError("ReportConflict",
                        "device " + device_ + " has sent another report " + std::to_string(report.sequence) +
                            " before: what it says now is not taken",
                        true);
  }
  db_.run("UPDATE devices SET received = received + 1, duplicates = duplicates + ? WHERE namespace = ? AND device = ?",
          {int64_t{duplicate ? 1 : 0}, ns_, device_});
  if (duplicate) return "duplicate";
  const std::string state = report.sequence < next_ ? "late" : report.sequence == next_ ? "applied" : "held";
  db_.run("INSERT INTO reports (namespace, device, seq, taken_at, readings, state) VALUES (?, ?, ?, ?, ?, ?)",
          {ns_, device_, report.sequence, report.at, report.readings, state});
  if (state == "held") {
    held_.insert(std::upper_bound(held_.begin(), held_.end(), report.sequence), report.sequence);
  } else if (state == "applied") {
    ++next_;
    advance();
  }
  return state;
}

// Applies what is held at next() and behind it without a gap.
void ReportLog::advance() {
  const int64_t first = next_;
  size_t applied = 0;
  while (applied < held_.size() && held_[applied] == next_) ++applied, ++next_;
  held_.erase(held_.begin(), held_.begin() + static_cast<std::ptrdiff_t>(applied));
  if (applied > 0) {
    db_.run(
        "UPDATE reports SET state = 'applied' WHERE namespace = ? AND device = ? AND seq >= ? AND seq < ? AND state = "
        "'held'",
        {ns_, device_, first, next_});
  }
  db_.run("UPDATE devices SET next_seq = ? WHERE namespace = ? AND device = ?", {next_, ns_, device_});
}

int64_t ReportLog::give_up(int64_t through) {
  int64_t lost = 0;
  while (!held_.empty() && next_ <= through) {
    const int64_t last = std::min(through, held_.front() - 1);
    db_.run("INSERT INTO given_up (namespace, device, first_seq, last_seq) VALUES (?, ?, ?, ?)",
            {ns_, device_, next_, last});
    lost += last - next_ + 1;
    next_ = last + 1;
    advance();
  }
  return lost;
}

int64_t ReportLog::recalibrate() {
  usual_from_ = next_;
  db_.run("UPDATE devices SET usual_from = ? WHERE namespace = ? AND device = ?", {usual_from_, ns_, device_});
  return usual_from_;
}

int64_t ReportLog::newest() const {
  return number(db_.run("SELECT COALESCE(MAX(seq), 0) FROM reports WHERE namespace = ? AND device = ? AND seq < ?",
                        {ns_, device_, next_})[0][0]);
}

std::vector<ReportLog::Range> ReportLog::missing() const {
  std::vector<Range> ranges;
  int64_t expected = next_;
  for (const int64_t sequence : held_) {
    if (sequence > expected) ranges.emplace_back(expected, sequence - 1);
    expected = sequence + 1;
  }
  return ranges;
}

std::vector<Report> ReportLog::from(int64_t first, int64_t limit) const {
  std::vector<Report> reports;
  for (const Row& row : db_.run("SELECT seq, taken_at, readings FROM reports WHERE namespace = ? AND device = ? AND "
                                "seq >= ? AND state <> 'held' ORDER BY seq LIMIT ?",
                                {ns_, device_, first, limit}))
    reports.push_back(report_of(row));
  return reports;
}

std::vector<Report> ReportLog::before(int64_t end, int64_t least, int64_t limit) const {
  std::vector<Report> reports;
  for (const Row& row : db_.run("SELECT seq, taken_at, readings FROM reports WHERE namespace = ? AND device = ? AND "
                                "seq < ? AND seq >= ? AND state <> 'held' ORDER BY seq DESC LIMIT ?",
                                {ns_, device_, end, least, limit}))
    reports.push_back(report_of(row));
  std::reverse(reports.begin(), reports.end());
  return reports;
}

}  // namespace skald::plugin::devices
