#pragma once

#include <absl/time/time.h>
#include <google/protobuf/duration.pb.h>
#include <google/protobuf/timestamp.pb.h>

// Between Abseil's times and protobuf's.
namespace skald::core {

inline absl::Time to_time(const google::protobuf::Timestamp& at) {
  return absl::FromUnixSeconds(at.seconds()) + absl::Nanoseconds(at.nanos());
}
inline absl::Duration to_duration(const google::protobuf::Duration& length) {
  return absl::Seconds(length.seconds()) + absl::Nanoseconds(length.nanos());
}
inline void set(google::protobuf::Timestamp* field, absl::Time at) {
  const int64_t seconds = absl::ToUnixSeconds(at);
  field->set_seconds(seconds);
  field->set_nanos(static_cast<int32_t>((at - absl::FromUnixSeconds(seconds)) / absl::Nanoseconds(1)));
}
inline void set(google::protobuf::Duration* field, absl::Duration length) {
  absl::Duration rest;
  field->set_seconds(absl::IDivDuration(length, absl::Seconds(1), &rest));
  field->set_nanos(static_cast<int32_t>(rest / absl::Nanoseconds(1)));
}

}  // namespace skald::core
