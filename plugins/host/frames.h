#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <google/protobuf/message_lite.h>

namespace skald::plugins {

// One message as a frame: isolation.proto says how.
std::string frame_of(const google::protobuf::MessageLite& message);

// Takes bytes as they come, and gives them back by frames. Not thread-safe.
class FrameReader {
 public:
  explicit FrameReader(size_t largest) : largest_(largest) {}

  void set_largest(size_t bytes) { largest_ = bytes; }
  void append(std::string_view bytes) { buffer_.append(bytes); }
  // The next frame's bytes, good until the next call of any of these; nothing if it is not there yet, or broken().
  std::optional<std::string_view> next();
  bool broken() const { return broken_; }  // a frame is larger than any may be

 private:
  size_t largest_;
  std::string buffer_;
  size_t read_ = 0;
  bool broken_ = false;
};

}  // namespace skald::plugins
