#include <algorithm>
#include <cmath>

#include "plugins/devices/anomaly.h"
#include "plugins/devices/report_log.h"
#include "plugins/sdk/fields.h"

// Machines and what they report about themselves: every report once and in order, and how unusual the readings are.
namespace skald::plugin::devices {
namespace {

constexpr int64_t kMostSequence = int64_t{1} << 53;
constexpr size_t kMostReadings = 64;
constexpr size_t kMostAtBytes = 64;
constexpr size_t kListed = 100;
constexpr size_t kMostScored = 1000;
// Unless the configuration says otherwise.
constexpr int64_t kBaseline = 48;
constexpr int64_t kRecent = 8;
constexpr int64_t kFurthestAhead = 100000;

std::string device_of(const json& input) { return required_text(input, "device"); }

// Whom an effect is about, and which one of its kind.
Effect::Reference reference(const char* field, const char* more = nullptr) {
  return [field, more](const json& input) {
    const auto part = [&](const char* name) {
      if (name == nullptr || !has_field(input, name)) return std::string();
      return input[name].is_string() ? input[name].get<std::string>() : input[name].dump();
    };
    EffectId id = {{"device", device_of(input)}};
    for (const char* name : {field, more}) {
      if (name != nullptr && has_field(input, name)) id.add(name, part(name));
    }
    id.set_former(effect_key({device_of(input), part(field), part(more)}));
    return id;
  };
}

double rounded(double value) { return std::round(value * 10000) / 10000; }

json ranges(const std::vector<ReportLog::Range>& missing) {
  json list = json::array();
  for (size_t i = 0; i < std::min(missing.size(), kListed); ++i)
    list.push_back(json::array({missing[i].first, missing[i].second}));
  return list;
}

json state_of(const ReportLog& log) {
  return {{"next", log.next()}, {"held", log.held().size()}, {"missing", ranges(log.missing())}};
}

// The readings as the text that is kept: a repetition is compared with it.
std::string readings_of(const json& input) {
  const json& readings = required_field(input, "readings");
  if (!readings.is_object() || readings.empty() || readings.size() > kMostReadings)
    refuse_input("readings must be an object of 1 to 64 numbers by name", readings);
  json numbers = json::object();
  for (const auto& [name, value] : readings.items()) {
    if (!value.is_number()) refuse_input("readings." + name + " must be a number", value);
    numbers[name] = value.get<double>();
  }
  return numbers.dump();
}

Readings parsed(const Report& report) { return json::parse(report.readings).get<Readings>(); }

std::vector<Readings> parsed(const std::vector<Report>& reports) {
  std::vector<Readings> all;
  for (const Report& report : reports) all.push_back(parsed(report));
  return all;
}

json register_device(EffectCall& call) {
  const std::string device = device_of(call.input);
  const int64_t first =
      has_field(call.input, "first_sequence") ? whole_number(call.input, "first_sequence", 1, kMostSequence) : 1;
  ReportLog::add(call.db, call.context.namespace_name, device, required_text(call.input, "kind"),
                 required_text(call.input, "site"), first);
  return {{"device", device}, {"first_sequence", first}};
}

json give_up(EffectCall& call) {
  ReportLog log(call.db, call.context.namespace_name, device_of(call.input), true);
  const int64_t lost = log.give_up(whole_number(call.input, "through", 1, kMostSequence));
  json result = state_of(log);
  result["given_up"] = lost;
  return result;
}

json recalibrate(EffectCall& call) {
  ReportLog log(call.db, call.context.namespace_name, device_of(call.input), true);
  return {{"usual_from", log.recalibrate()}};
}

json gaps(EffectCall& call) {
  return state_of(ReportLog(call.db, call.context.namespace_name, device_of(call.input), false));
}

json history(EffectCall& call) {
  const std::string device = device_of(call.input);
  const int64_t after = has_field(call.input, "after") ? whole_number(call.input, "after", 0, kMostSequence) : 0;
  const int64_t limit = has_field(call.input, "limit") ? whole_number(call.input, "limit", 1, 1000) : 100;
  const ReportLog known(call.db, call.context.namespace_name, device, false);  // or else there is no such device
  json reports = json::array();
  for (const Row& row : call.db.run("SELECT seq, taken_at, readings, state FROM reports WHERE namespace = ? AND device "
                                    "= ? AND seq > ? ORDER BY seq LIMIT ?",
                                    {call.context.namespace_name, device, after, limit})) {
    reports.push_back({{"sequence", number(row[0])},
                       {"at", text(row[1])},
                       {"readings", json::parse(text(row[2]))},
                       {"state", text(row[3])}});
  }
  json result = {{"device", device}, {"next", nullptr}};
  if (static_cast<int64_t>(reports.size()) == limit) result["next"] = reports.back()["sequence"];
  result["reports"] = std::move(reports);
  return result;
}

json audit(EffectCall& call) {
  const std::string& ns = call.context.namespace_name;
  int64_t devices = 0, received = 0, duplicates = 0, expected = 0;
  for (const Row& row : call.db.run("SELECT COUNT(*), COALESCE(SUM(received), 0), COALESCE(SUM(duplicates), 0), "
                                    "COALESCE(SUM(next_seq - first_seq), 0) FROM devices WHERE namespace = ?",
                                    {ns})) {
    devices = number(row[0]), received = number(row[1]), duplicates = number(row[2]), expected = number(row[3]);
  }
  std::map<std::string, int64_t> by_state;
  for (const Row& row : call.db.run("SELECT state, COUNT(*) FROM reports WHERE namespace = ? GROUP BY state", {ns}))
    by_state[text(row[0])] = number(row[1]);
  const int64_t given_up = number(
      call.db.run("SELECT COALESCE(SUM(last_seq - first_seq + 1), 0) FROM given_up WHERE namespace = ?", {ns})[0][0]);
  // Device by device: each number up to the next one is applied or was given up, and what came is there.
  json wrong = json::array();
  for (const Row& row : call.db.run(
           "SELECT d.device FROM devices d LEFT JOIN (SELECT device, COUNT(*) AS kept, SUM(CASE state WHEN 'applied' "
           "THEN 1 ELSE 0 END) AS applied FROM reports WHERE namespace = ? GROUP BY device) r ON r.device = d.device "
           "LEFT JOIN (SELECT device, SUM(last_seq - first_seq + 1) AS lost FROM given_up WHERE namespace = ? GROUP BY "
           "device) g ON g.device = d.device WHERE d.namespace = ? AND (d.received <> COALESCE(r.kept, 0) + "
           "d.duplicates OR d.next_seq - d.first_seq <> COALESCE(r.applied, 0) + COALESCE(g.lost, 0)) ORDER BY "
           "d.device",
           {ns, ns, ns})) {
    if (wrong.size() < kListed) wrong.push_back(text(row[0]));
  }
  return {{"balanced", wrong.empty()}, {"devices", devices},       {"received", received},
          {"duplicates", duplicates},  {"expected", expected},     {"applied", by_state["applied"]},
          {"held", by_state["held"]},  {"late", by_state["late"]}, {"lost", given_up - by_state["late"]},
          {"wrong", std::move(wrong)}};
}

json whole(int64_t least, int64_t most, int64_t otherwise, const char* description) {
  return {
      {"type", "integer"}, {"minimum", least}, {"maximum", most}, {"default", otherwise}, {"description", description}};
}

json settings_schema() {
  return {{"baseline", whole(8, 10000, kBaseline, "a device's first reports, from which what is usual is learnt")},
          {"recent", whole(2, 1000, kRecent, "the last reports, whose median is compared with what is usual")},
          {"threshold",
           {{"type", "number"},
            {"exclusiveMinimum", 0},
            {"default", ScoreOptions().threshold},
            {"description", "how many spreads from the usual value have the score 0.5"}}},
          {"least_spread",
           {{"type", "object"},
            {"additionalProperties", {{"type", "number"}, {"exclusiveMinimum", 0}}},
            {"default", json::object()},
            {"description", "by reading, the smallest standard deviation that is believed"}}},
          {"furthest_ahead",
           whole(1, 1000000000, kFurthestAhead, "a report's number may be so far beyond the next one's")}};
}

class Devices final : public Plugin {
 public:
  Devices() : Plugin("devices", "0.1.0") {
    settings(settings_schema());
    effect("register", {.step = "register",
                        .reference = device_of,
                        .scope = Effect::Scope::kWorkflow,  // the device's row says whether it is the same
                        .binding = {"kind", "site", "first_sequence"},
                        .run = register_device});
    effect("report", {.step = "report",
                      .reference = reference("sequence", "delivery"),
                      .binding = {"at", "readings"},
                      .run = [this](EffectCall& call) { return report(call); }});
    effect("give_up", {.step = "give_up", .reference = reference("through"), .run = give_up});
    effect("recalibrate", {.step = "recalibrate", .reference = reference("reference"), .run = recalibrate});
    effect("score", {.run = [this](EffectCall& call) { return score(call); }, .reads = true});
    effect("gaps", {.run = gaps, .reads = true});
    effect("history", {.run = history, .reads = true});
    effect("audit", {.run = audit, .reads = true});
  }

 protected:
  void create_tables(EffectStore& db) override { ReportLog::create_tables(db); }

 private:
  json report(EffectCall& call) const {
    const Report report{whole_number(call.input, "sequence", 1, kMostSequence), required_text(call.input, "at"),
                        readings_of(call.input)};
    if (report.at.size() > kMostAtBytes) refuse_input("at must be a time of at most 64 bytes", report.at);
    ReportLog log(call.db, call.context.namespace_name, device_of(call.input), true);
    const int64_t before = log.next();
    const std::string state = log.take(report, config().value("furthest_ahead", kFurthestAhead));
    json result = state_of(log);
    result["sequence"] = report.sequence;
    result["state"] = state;
    result["applied"] = log.next() - before;  // itself, and what it held up
    return result;
  }

  // The highest score of the reports from `from` on, of a thousand at most (`through` tells how far); without it, that
  // of the newest.
  json score(EffectCall& call) const {
    const std::string device = device_of(call.input);
    const ReportLog log(call.db, call.context.namespace_name, device, false);
    const auto wanted = config().value("baseline", kBaseline);
    const auto recent = config().value("recent", kRecent);
    json result = state_of(log);
    result.update(
        {{"device", device}, {"score", 0.0}, {"learning", true}, {"scored", 0}, {"readings", json::object()}});
    const auto usual = log.from(log.usual_from(), wanted);
    if (static_cast<int64_t>(usual.size()) < wanted) {
      result["sequence"] = log.newest();
      result["explanation"] = "what is usual is still being learnt: " + std::to_string(usual.size()) + " of " +
                              std::to_string(wanted) + " reports";
      return result;
    }
    const int64_t first_after = usual.back().sequence + 1;
    const int64_t asked =
        has_field(call.input, "from") ? whole_number(call.input, "from", 0, kMostSequence) : log.newest();
    const int64_t from = std::max(asked, first_after);
    std::vector<Report> window = log.before(from, first_after, recent - 1);
    const size_t known = window.size();
    for (Report& report : log.from(from, int64_t{kMostScored})) window.push_back(std::move(report));
    result["learning"] = false;
    result["sequence"] = log.newest();
    result["scored"] = window.size() - known;
    const bool all = window.size() - known < kMostScored;
    result["through"] = all ? log.next() - 1 : window.back().sequence;
    result["explanation"] = "there is no report to score yet";
    const auto baseline = parsed(usual);
    const auto readings = parsed(window);
    for (size_t i = known; i < window.size(); ++i) {
      const size_t begin = i + 1 - std::min(i + 1, static_cast<size_t>(recent));
      const std::vector<Readings> last(readings.begin() + static_cast<std::ptrdiff_t>(begin),
                                       readings.begin() + static_cast<std::ptrdiff_t>(i) + 1);
      keep_highest(result, window[i], score_report(baseline, last, static_cast<size_t>(recent), options()));
    }
    return result;
  }

  static void keep_highest(json& result, const Report& report, const std::map<std::string, ReadingScore>& scores) {
    const ReadingScore* highest = nullptr;
    for (const auto& [name, score] : scores) {
      if (highest == nullptr || score.score > highest->score) highest = &score;
    }
    if (highest == nullptr || (!result["readings"].empty() && rounded(highest->score) < result["score"].get<double>()))
      return;
    result["sequence"] = report.sequence;
    result["at"] = report.at;
    result["score"] = rounded(highest->score);
    result["explanation"] = highest->explanation;
    result["readings"] = json::object();
    for (const auto& [name, score] : scores) {
      result["readings"][name] = {{"value", score.value},
                                  {"usual", score.usual},
                                  {"spread", rounded(score.spread)},
                                  {"spike", rounded(score.spike)},
                                  {"drift", rounded(score.drift)},
                                  {"score", rounded(score.score)},
                                  {"explanation", score.explanation}};
    }
  }

  ScoreOptions options() const {
    ScoreOptions options;
    options.threshold = config().value("threshold", options.threshold);
    if (config().contains("least_spread"))
      options.least_spread = config()["least_spread"].get<std::map<std::string, double>>();
    return options;
  }
};

}  // namespace
}  // namespace skald::plugin::devices

SKALD_PLUGIN(skald::plugin::devices::Devices)
