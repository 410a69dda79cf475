#pragma once

#include <absl/time/time.h>

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace skald::core {

// Every limit of a run has a name, and Temporal's default. Sizes are bytes.
struct Limits {
  size_t blob_error_bytes = 2 << 20;
  size_t blob_warn_bytes = 512 << 10;  // what a failure beyond the limit is cut to
  size_t memo_error_bytes = 2 << 20;
  size_t history_error_bytes = 50 << 20;
  size_t history_suggest_bytes = 4 << 20;
  int64_t history_error_events = 51'200;
  int64_t history_suggest_events = 4'096;
  size_t state_error_bytes = 8 << 20;  // of all that the engine keeps of an open run besides its history
  size_t activity_failure_bytes = 4 << 10;
  int failure_depth = 50;  // causes of causes; parsers of messages give up at 100 levels, what is around a failure included
  size_t pending_activities = 2'000;
  size_t pending_children = 2'000;
  size_t pending_signals = 2'000;
  size_t pending_cancels = 2'000;
  int64_t signals_per_run = 10'000;
  size_t buffered_events = 100;
  size_t buffered_bytes = 2 << 20;
  size_t id_length = 1'000;
  size_t search_attribute_keys = 100;
  size_t search_attribute_value_bytes = 2 << 10;
  size_t search_attributes_bytes = 40 << 10;
  size_t summary_bytes = 400;
  size_t details_bytes = 20'000;
  absl::Duration workflow_task_timeout_default = absl::Seconds(10);
  absl::Duration workflow_task_timeout_max = absl::Seconds(120);
  absl::Duration sticky_schedule_to_start_default = absl::Seconds(10);
  absl::Duration workflow_task_heartbeat_max = absl::Minutes(30);
  absl::Duration workflow_task_backoff_max = absl::Minutes(10);
  int workflow_task_backoff_from_attempt = 4;
  absl::Duration continue_as_new_min_interval = absl::Seconds(1);
};

// Names of task queues that begin so are the engine's own.
inline constexpr std::string_view kReservedTaskQueues = "/_sys/";
constexpr bool is_reserved_task_queue(std::string_view name) { return name.starts_with(kReservedTaskQueues); }

}  // namespace skald::core
