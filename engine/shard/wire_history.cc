#include "engine/shard/wire_history.h"

#include <algorithm>
#include <vector>

#include <google/protobuf/arena.h>
#include <google/protobuf/io/coded_stream.h>

namespace skald::shard {
namespace {

using google::protobuf::io::CodedOutputStream;

// History.events: field 1, length-delimited.
constexpr uint8_t kEventTag = 0x0A;
constexpr size_t kLongestLength = 5;

// The size of the event at the front, tag and length included.
size_t front_size(std::string_view history) {
  size_t length = 0;
  size_t at = 1;
  for (unsigned shift = 0; at < history.size(); shift += 7) {
    const auto byte = static_cast<uint8_t>(history[at++]);
    length |= static_cast<size_t>(byte & 0x7FU) << shift;
    if ((byte & 0x80U) == 0) break;
  }
  return std::min(at + length, history.size());
}

}  // namespace

void append_event(std::string& history, const temporal::api::history::v1::HistoryEvent& event) {
  const size_t size = event.ByteSizeLong();
  const size_t start = history.size();
  history.resize(start + 1 + kLongestLength + size);
  auto* out = reinterpret_cast<uint8_t*>(history.data() + start);
  *out++ = kEventTag;
  out = CodedOutputStream::WriteVarint32ToArray(static_cast<uint32_t>(size), out);
  out = event.SerializeWithCachedSizesToArray(out);
  history.resize(static_cast<size_t>(reinterpret_cast<char*>(out) - history.data()));
}

size_t prefix_size(std::string_view history, int64_t events) {
  size_t at = 0;
  for (int64_t i = 0; i < events && at < history.size(); ++i) at += front_size(history.substr(at));
  return at;
}

std::string_view slice_events(std::string_view history, int64_t first_event_id, int64_t from, int64_t to) {
  if (to < from || to < first_event_id) return {};
  const size_t begin = from > first_event_id ? prefix_size(history, from - first_event_id) : 0;
  const std::string_view rest = history.substr(begin);
  return rest.substr(0, prefix_size(rest, to - std::max(from, first_event_id) + 1));
}

bool is_sound(std::string_view history, int64_t first_event_id, int64_t last_event_id) {
  google::protobuf::Arena arena;
  auto& parsed = *google::protobuf::Arena::CreateMessage<temporal::api::history::v1::History>(&arena);
  if (!parsed.ParseFromArray(history.data(), static_cast<int>(history.size()))) return false;
  int64_t id = first_event_id;
  for (const auto& event : parsed.events()) {
    if (event.event_id() != id++) return false;
  }
  return id == last_event_id + 1;
}

int64_t count_events(std::string_view history) {
  int64_t count = 0;
  for (size_t at = 0; at < history.size(); ++count) at += front_size(history.substr(at));
  return count;
}

std::string reverse_events(std::string_view history) {
  std::vector<std::string_view> events;
  for (size_t at = 0; at < history.size();) {
    const std::string_view event = history.substr(at, front_size(history.substr(at)));
    events.push_back(event);
    at += event.size();
  }
  std::string reversed;
  reversed.reserve(history.size());
  for (auto event = events.rbegin(); event != events.rend(); ++event) reversed += *event;
  return reversed;
}

}  // namespace skald::shard
