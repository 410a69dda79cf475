#include "plugins/host/frames.h"

namespace skald::plugins {
namespace {

constexpr size_t kHeader = 4;

}  // namespace

std::string frame_of(const google::protobuf::MessageLite& message) {
  const size_t size = message.ByteSizeLong();
  std::string frame;
  frame.reserve(kHeader + size);
  for (size_t i = 0; i < kHeader; ++i) frame.push_back(static_cast<char>(size >> (8 * i) & 0xff));
  message.AppendToString(&frame);
  return frame;
}

std::optional<std::string_view> FrameReader::next() {
  if (broken_) return std::nullopt;
  const std::string_view left = std::string_view(buffer_).substr(read_);
  size_t size = 0;
  if (left.size() >= kHeader) {
    for (size_t i = 0; i < kHeader; ++i) size |= static_cast<size_t>(static_cast<unsigned char>(left[i])) << (8 * i);
    broken_ = size > largest_;
    if (broken_) return std::nullopt;
  }
  if (left.size() < kHeader || left.size() - kHeader < size) {
    buffer_.erase(0, read_);
    read_ = 0;
    return std::nullopt;
  }
  read_ += kHeader + size;
  return left.substr(kHeader, size);
}

}  // namespace skald::plugins
