#pragma once

#include <string>

#include "temporal/api/history/v1/message.pb.h"

namespace skald::cli {

// What distinguishes this event from others of its type, on one line: names, ids, payloads, causes.
std::string event_detail(const temporal::api::history::v1::HistoryEvent& event);

}  // namespace skald::cli
