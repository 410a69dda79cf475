#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace skald::plugin::llm {

// Reads a stream of server-sent events as it comes in, cut anywhere. One thread at a time.
class SseParser {
 public:
  // `event` gets each event's data, its lines joined by '\n'. An event larger than `most_bytes` is an error.
  explicit SseParser(std::function<void(std::string_view data)> event, size_t most_bytes = 4 << 20)
      : event_(std::move(event)), most_bytes_(most_bytes) {}

  // False: the stream is no such stream; what follows is not read.
  bool feed(std::string_view bytes);
  // The stream has ended: an event without its empty line is given all the same.
  void end();

 private:
  void line(std::string_view text);
  void dispatch();

  std::function<void(std::string_view)> event_;
  size_t most_bytes_;
  std::string line_, data_;
  bool has_data_ = false, after_return_ = false, first_ = true;
};

}  // namespace skald::plugin::llm
