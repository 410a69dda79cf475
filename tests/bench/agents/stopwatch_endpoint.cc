#include "tests/bench/agents/stopwatch_endpoint.h"

#include <stdexcept>
#include <utility>
#include <vector>

#include <httplib.h>
#include <nlohmann/json.hpp>

#include "samples/llm/embedding.h"

namespace skald::bench {
namespace {

using nlohmann::json;
using Clock = std::chrono::steady_clock;

constexpr size_t kPiece = 16;  // bytes of the answer in an event
constexpr size_t kDimensions = 256;

std::vector<std::string> events_of(const std::string& answer) {
  std::vector<std::string> events;
  const auto add = [&](const json& event) { events.push_back("data: " + event.dump() + "\n\n"); };
  for (size_t at = 0; at < answer.size(); at += kPiece) {
    add({{"model", "bench"},
         {"choices",
          {{{"index", 0}, {"delta", {{"content", answer.substr(at, kPiece)}}}, {"finish_reason", nullptr}}}}});
  }
  add({{"choices", {{{"index", 0}, {"delta", json::object()}, {"finish_reason", "stop"}}}}});
  add({{"choices", json::array()}, {"usage", {{"prompt_tokens", 200}, {"completion_tokens", answer.size() / kPiece}}}});
  events.push_back("data: [DONE]\n\n");
  return events;
}

}  // namespace

struct StopwatchEndpoint::Http {
  httplib::Server server;
};

StopwatchEndpoint::StopwatchEndpoint(std::string answer, std::chrono::milliseconds latency)
    : answer_(std::move(answer)), latency_(latency), http_(std::make_unique<Http>()) {
  httplib::Server& server = http_->server;
  server.set_tcp_nodelay(true);
  server.set_keep_alive_max_count(1 << 30);
  const auto count = [this](Clock::time_point begun) {
    busy_us_ += std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - begun).count();
    ++requests_;
  };
  const auto events = std::make_shared<const std::vector<std::string>>(events_of(answer_));
  server.Post("/v1/chat/completions", [this, count, events](const httplib::Request&, httplib::Response& response) {
    const auto begun = Clock::now();
    std::this_thread::sleep_for(latency_);
    response.set_chunked_content_provider("text/event-stream", [count, events, begun](size_t, httplib::DataSink& sink) {
      for (const std::string& event : *events) sink.write(event.data(), event.size());
      sink.done();
      count(begun);
      return true;
    });
  });
  server.Post("/v1/embeddings", [count](const httplib::Request& request, httplib::Response& response) {
    const auto begun = Clock::now();
    json data = json::array();
    const json body = json::parse(request.body);
    for (const json& text : body["input"])
      data.push_back(
          {{"index", data.size()}, {"embedding", samples::llm::embed(text.get<std::string>(), kDimensions)}});
    response.set_content(json{{"data", data}, {"usage", {{"prompt_tokens", 10}}}}.dump(), "application/json");
    count(begun);
  });
  port_ = server.bind_to_any_port("127.0.0.1");
  if (port_ <= 0) throw std::runtime_error("no port is free");
  thread_ = std::thread([&server] { server.listen_after_bind(); });
  while (!server.is_running()) std::this_thread::yield();
}

StopwatchEndpoint::~StopwatchEndpoint() {
  http_->server.stop();
  thread_.join();
}

}  // namespace skald::bench
