#include "cli/dropped_signals.h"

#include <nlohmann/json.hpp>

namespace skald::cli {
namespace {

// A text of JSON as it reads, anything else as it stands.
std::string text_at(const temporal::api::common::v1::Payloads& payloads, int place) {
  if (place >= payloads.payloads_size()) return "";
  const auto value = nlohmann::json::parse(payloads.payloads(place).data(), nullptr, /*allow_exceptions=*/false);
  return value.is_string() ? value.get<std::string>() : payloads.payloads(place).data();
}

}  // namespace

std::vector<DroppedSignal> dropped_signals(const temporal::api::history::v1::HistoryEvent& event) {
  std::vector<DroppedSignal> dropped;
  const auto& marker = event.marker_recorded_event_attributes();
  const auto events = marker.details().find("event_id");
  if (marker.marker_name() != "skald.dropped_signals" || events == marker.details().end()) return dropped;
  const auto column = [&](const char* name) {
    const auto found = marker.details().find(name);
    return found == marker.details().end() ? temporal::api::common::v1::Payloads() : found->second;
  };
  const auto names = column("signal"), reasons = column("reason");
  for (int i = 0; i < events->second.payloads_size(); ++i)
    dropped.push_back({events->second.payloads(i).data(), text_at(names, i), text_at(reasons, i)});
  return dropped;
}

}  // namespace skald::cli
