#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "temporal/api/history/v1/message.pb.h"

// History as bytes: the wire form of temporal.api.history.v1.History is a sequence of events, each behind its tag and length, so that
// histories are joined by joining their bytes and cut at event borders without parsing the events.
namespace skald::shard {

void append_event(std::string& history, const temporal::api::history::v1::HistoryEvent& event);

// How many bytes the first `events` events of `history` take (all of it, if it has fewer). `history` must be whole.
size_t prefix_size(std::string_view history, int64_t events);

// `history` holds first_event_id.. in order; the part of it with the ids from..to (both included; may lie outside).
std::string_view slice_events(std::string_view history, int64_t first_event_id, int64_t from, int64_t to);

// Whether `history` is whole, and holds the events with these ids and nothing else.
bool is_sound(std::string_view history, int64_t first_event_id, int64_t last_event_id);

int64_t count_events(std::string_view history);

// The events in the opposite order.
std::string reverse_events(std::string_view history);

}  // namespace skald::shard
