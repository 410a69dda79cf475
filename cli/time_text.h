#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <absl/time/time.h>
#include <google/protobuf/duration.pb.h>
#include <google/protobuf/timestamp.pb.h>

namespace skald::cli {

// A duration as people type it: 30s, 5m, 1h30m, 2d, 1.5h, 250ms. Nothing if it is none, negative or without an end.
std::optional<absl::Duration> parse_duration(std::string_view text);

// A duration as people read it, to about three digits: 850ms, 1.25s, 3m12s, 2h05m, 3d.
std::string duration_text(absl::Duration duration);

// UTC with milliseconds, as RFC 3339 writes it.
std::string time_text(absl::Time time);
std::string time_text(const google::protobuf::Timestamp& time);

absl::Time to_time(const google::protobuf::Timestamp& time);
absl::Duration to_duration(const google::protobuf::Duration& duration);
google::protobuf::Duration to_proto(absl::Duration duration);

}  // namespace skald::cli
