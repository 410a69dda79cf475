// What comes to a run from outside and cannot be read. It never fails the run's task: a signal is dropped, and history
// tells which and why, so that replay drops the same ones, whatever the program that replays it can read; an input ends
// the run.
#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>

#include "lua/json.h"
#include "lua/payloads.h"
#include "lua/script.h"

namespace skald::lua {
namespace {

using namespace temporal::api::enums::v1;
using temporal::api::command::v1::Command;
using temporal::api::common::v1::Payload;

constexpr char kDroppedSignals[] = "skald.dropped_signals";
constexpr size_t kDroppedPerMarker = 500;
constexpr size_t kLongestTold = 300;  // bytes of a name or reason in a marker

// Values of a signal stay while its handler runs: there must be room for it, and for the script.
constexpr size_t kRoomForScript = 16 << 20;

void add_json(temporal::api::common::v1::Payloads& payloads, std::string json) {
  Payload& payload = *payloads.add_payloads();
  (*payload.mutable_metadata())["encoding"] = "json/plain";
  payload.set_data(std::move(json));
}

void add_text(lua_State* L, temporal::api::common::v1::Payloads& payloads, const std::string& text) {
  const std::string told = shortened(text, kLongestTold);
  std::string json, ignored;
  lua_pushlstring(L, told.data(), told.size());
  encode_json(L, -1, json, ignored);
  lua_pop(L, 1);
  add_json(payloads, std::move(json));
}

}  // namespace

void Script::recall(const Event& marker) {
  const auto& details = marker.marker_recorded_event_attributes().details();
  if (marker.marker_recorded_event_attributes().marker_name() == kDroppedSignals) {
    const auto events = details.find("event_id");
    if (events == details.end()) return;
    for (const Payload& payload : events->second.payloads()) {
      int64_t event_id = 0;
      if (absl::SimpleAtoi(payload.data(), &event_id)) dropped_before_.insert(event_id);
    }
    return;
  }
  const auto id = details.find("id");
  const auto value = details.find("value");
  if (id == details.end() || value == details.end() || id->second.payloads_size() == 0) return;
  markers_[id->second.payloads(0).data()] = value->second;
}

// Pushes the signal's arguments. False if it is dropped.
bool Script::read_signal(const Event& event) {
  const auto& signal = event.workflow_execution_signaled_event_attributes();
  if (dropped_before_.erase(event.event_id()) > 0) {
    dropped_.push_back({event.event_id(), "", ""});
    return false;
  }
  lua_State* L = sandbox_.state();
  const int top = lua_gettop(L);
  std::string error;
  if (decode_payloads(L, signal.input(), error)) {
    if (replaying_ || sandbox_.has_room(kRoomForScript)) return true;
    lua_settop(L, top);
    error = "the workflow has no memory left for it";
  }
  if (replaying_) return false;  // of a history from before such signals were told
  log_.write(LogSink::Level::kWarn, identity_, definition_->name,
             absl::StrCat("the signal '", signal.signal_name(), "' (event ", event.event_id(),
                          ") is dropped, it cannot be read: ", error));
  dropped_.push_back({event.event_id(), signal.signal_name(), error});
  return false;
}

// Writes the task's dropped signals down.
void Script::record_dropped() {
  for (size_t from = 0; from < dropped_.size(); from += kDroppedPerMarker) {
    Command command;
    command.set_command_type(COMMAND_TYPE_RECORD_MARKER);
    auto& attributes = *command.mutable_record_marker_command_attributes();
    attributes.set_marker_name(kDroppedSignals);
    auto& details = *attributes.mutable_details();
    for (size_t i = from; i < std::min(from + kDroppedPerMarker, dropped_.size()); ++i) {
      add_json(details["event_id"], std::to_string(dropped_[i].event_id));
      add_text(sandbox_.state(), details["signal"], dropped_[i].signal);
      add_text(sandbox_.state(), details["reason"], dropped_[i].reason);
    }
    add_command(std::move(command), {COMMAND_TYPE_RECORD_MARKER, "", kDroppedSignals});
  }
  dropped_.clear();
}

void Script::refuse_input(const std::string& error) {
  Command command;
  command.set_command_type(COMMAND_TYPE_FAIL_WORKFLOW_EXECUTION);
  auto& failure = *command.mutable_fail_workflow_execution_command_attributes()->mutable_failure();
  failure.set_message(to_utf8(absl::StrCat("the input of ", definition_->name, " cannot be read: ", error)));
  failure.set_source("skald-lua");
  failure.mutable_application_failure_info()->set_type("InvalidInput");
  failure.mutable_application_failure_info()->set_non_retryable(true);
  close_with(std::move(command), {COMMAND_TYPE_FAIL_WORKFLOW_EXECUTION});
}

void Script::tell_unreadable(const std::string& what, const std::string& error) {
  if (!told_unreadable_.insert(what).second || replaying_) return;
  log_.write(LogSink::Level::kWarn, identity_, definition_->name, to_utf8(absl::StrCat(what, " is left out, it cannot be read: ", error)));
}

}  // namespace skald::lua
