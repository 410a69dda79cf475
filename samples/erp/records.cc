#include "samples/erp/records.h"

#include <charconv>
#include <chrono>
#include <utility>

namespace skald::erp {
namespace {

int64_t now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

int64_t position(const std::string& cursor) {
  if (cursor.empty()) return 0;
  int64_t at = -1;
  const char* end = cursor.data() + cursor.size();
  if (cursor[0] != 'c' || std::from_chars(cursor.data() + 1, end, at).ptr != end || at < 0)
    throw Refusal{422, "invalid", "this is no cursor", {{"after", "is not a cursor of this feed"}}};
  return at;
}

}  // namespace

void Records::note(const std::string& id, json& record, const std::string& by) {
  record["updated_at_ms"] = now_ms();
  record["updated_by"] = by;
  if (const auto last = last_change_.find(id); last != last_change_.end()) feed_.erase(last->second);
  last_change_[id] = ++changes_;
  feed_[changes_] = id;
}

json Records::create(const std::string& id, json record, const std::string& by) {
  record["version"] = 1;
  if (record.contains("reference")) references_[record["reference"]] = id;
  note(id, record, by);
  return records_[id] = std::move(record);
}

json Records::change(const std::string& id, const json& change, std::optional<int64_t> version, const std::string& by) {
  at(id);
  json& record = records_.find(id)->second;
  const auto merge = [&](const json& patch, const std::string& who) {
    record.update(patch);
    record["version"] = record["version"].get<int64_t>() + 1;
    note(id, record, who);
  };
  if (version && std::exchange(rival_, false)) merge({{"note", "looked at by somebody"}}, "somebody");
  if (version && *version != record["version"])
    throw Refusal{409, "version_conflict", "the " + name_ + " " + id + " is no longer what it was", nullptr, record};
  merge(change, by);
  return record;
}

const json* Records::find(const std::string& id) const {
  const auto found = records_.find(id);
  return found == records_.end() ? nullptr : &found->second;
}

const json* Records::by_reference(const std::string& reference) const {
  const auto found = references_.find(reference);
  return found == references_.end() ? nullptr : find(found->second);
}

const json& Records::at(const std::string& id) const {
  const json* found = find(id);
  if (found == nullptr) throw Refusal{404, "not_found", "there is no " + name_ + " " + id};
  return *found;
}

json Records::page(const std::string& cursor, size_t limit) const {
  int64_t next = position(cursor);
  json records = json::array();
  auto change = feed_.upper_bound(next);
  for (; change != feed_.end() && records.size() < limit; ++change) {
    next = change->first;
    records.push_back(records_.at(change->second));
  }
  return {{"records", std::move(records)}, {"next", "c" + std::to_string(next)}, {"more", change != feed_.end()}};
}

}  // namespace skald::erp
