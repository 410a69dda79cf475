#pragma once

#include <chrono>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <curl/curl.h>

#include "plugins/sdk/http.h"

namespace skald::plugin {

// How one try ended.
struct HttpResult {
  enum class Kind {
    kAnswer,       // `response` is there, whatever its status
    kUnreachable,  // it was not sent
    kTimeout,      // it was sent
    kLost,         // it was sent, and no whole answer came
    kTooLarge,
    kInvalid,  // it could never be sent
    kThrown,   // by on_data
    kGone,     // nobody waits for it any more
    kStopped   // with the loop
  };
  Kind kind = Kind::kAnswer;
  HttpResponse response;
  std::string why;        // a sentence without secrets, but for kAnswer
  bool streamed = false;  // on_data has seen some of it
  std::exception_ptr thrown;
};

// One try of a request.
struct HttpTry {
  std::shared_ptr<const HttpRequest> request;
  std::chrono::milliseconds timeout{0}, connect_timeout{0};
  bool own_connection = false;  // one that no request has used: on another it might be sent twice
  std::string ca_file, proxy;
  std::function<bool()> gone;            // asked now and then
  std::function<void(HttpResult)> done;  // once
};

// A try under way: libcurl's handle for it, and what has come. Used by the loop's thread alone.
class HttpTransfer {
 public:
  explicit HttpTransfer(HttpTry given);
  ~HttpTransfer();
  HttpTransfer(const HttpTransfer&) = delete;

  CURL* handle() const { return easy_; }
  bool gone() const { return try_.gone(); }
  bool idle_too_long() const;
  // Ends it; afterwards it may only be destroyed.
  void finish(CURLcode code);
  void finish(HttpResult::Kind kind, const std::string& why);

 private:
  using Clock = std::chrono::steady_clock;
  static size_t on_header(char* data, size_t size, size_t count, void* self);
  static size_t on_body(char* data, size_t size, size_t count, void* self);
  void set_up();
  void set_method();
  void set_headers();
  bool take_header(std::string_view line);
  bool take_body(std::string_view data);
  HttpResult::Kind kind_of(CURLcode code) const;
  std::string sentence(HttpResult::Kind kind, CURLcode code) const;

  HttpTry try_;
  CURL* easy_;
  curl_slist* headers_ = nullptr;
  char problem_[CURL_ERROR_SIZE] = "";
  HttpResult result_;
  size_t header_bytes_ = 0, body_bytes_ = 0;
  bool in_body_ = false, too_large_ = false, ended_by_caller_ = false;
  std::optional<Clock::time_point> last_byte_;  // of the body
};

}  // namespace skald::plugin
