#include "samples/llm/endpoint.h"

#include <ctime>
#include <stdexcept>

#include <fmt/format.h>
#include <httplib.h>

#include "samples/llm/embedding.h"
#include "samples/llm/judgement.h"

namespace skald::samples::llm {
namespace {

constexpr size_t kKeptRequests = 2'000;
constexpr size_t kMaxBody = 16 << 20;
constexpr size_t kDimensions = 256;
constexpr size_t kMaxDimensions = 4'096;
constexpr int kKeepAliveSeconds = 60;
constexpr size_t kThreads = 128;  // a kept connection holds one
constexpr int kBacklog = 1'024;
constexpr std::chrono::milliseconds kNap{20};
const char* const kJson = "application/json";

void answer(httplib::Response& response, int status, const json& body) {
  response.status = status;
  response.set_content(body.dump(-1, ' ', false, json::error_handler_t::replace), kJson);
}

}  // namespace

struct Endpoint::Http {
  httplib::Server server;
  socket_t listener = INVALID_SOCKET;
};

namespace {

// Sleeps, but not on when the endpoint stops; false: it does.
bool pause(std::chrono::milliseconds duration, const std::atomic<bool>& stopping) {
  const auto end = std::chrono::steady_clock::now() + duration;
  while (!stopping && std::chrono::steady_clock::now() < end)
    std::this_thread::sleep_for(
        std::min<std::chrono::steady_clock::duration>(kNap, end - std::chrono::steady_clock::now()));
  return !stopping;
}

// Half of the body, and the connection is gone.
void answer_broken(httplib::Response& response, std::string body) {
  const size_t announced = body.size();
  auto half = std::make_shared<std::string>(body.substr(0, body.size() / 2));
  response.set_content_provider(announced, kJson, [half](size_t offset, size_t, httplib::DataSink& sink) {
    if (offset > 0) return false;
    return sink.write(half->data(), half->size());
  });
}

void answer_stream(const ChatRequest& request, const Reply& reply, const std::string& id,
                   const std::atomic<bool>& stopping, httplib::Response& response) {
  auto events = std::make_shared<std::vector<std::string>>();
  for (const json& chunk : chunks(request, reply, id))
    events->push_back("data: " + chunk.dump(-1, ' ', false, json::error_handler_t::replace) + "\n\n");
  events->push_back("data: [DONE]\n\n");
  response.set_chunked_content_provider(
      "text/event-stream", [events, reply, &stopping, next = size_t{0}](size_t, httplib::DataSink& sink) mutable {
        if (reply.break_after && next >= *reply.break_after) return false;
        if (next > 0 && reply.chunk_delay.count() > 0 && !pause(reply.chunk_delay, stopping)) return false;
        const std::string& event = (*events)[next++];
        if (!sink.write(event.data(), event.size())) return false;
        if (next == events->size()) sink.done();
        return true;
      });
}

void answer_chat(const ChatRequest& request, const Reply& reply, const std::string& id,
                 const std::atomic<bool>& stopping, httplib::Response& response) {
  if (reply.delay.count() > 0) pause(reply.delay, stopping);
  if (reply.retry_after) response.set_header("Retry-After", fmt::format("{}", *reply.retry_after));
  if (reply.status != 200) {
    const std::string type = reply.status == 429   ? "rate_limit_exceeded"
                             : reply.status >= 500 ? "server_error"
                                                   : "invalid_request_error";
    const std::string message = reply.error.empty() ? fmt::format("the script answers {}", reply.status) : reply.error;
    return answer(response, reply.status, error_body(message, type));
  }
  if (request.stream) return answer_stream(request, reply, id, stopping, response);
  const json body = completion(request, reply, id);
  if (reply.break_after) return answer_broken(response, body.dump());
  answer(response, 200, body);
}

json embeddings(const json& body) {
  if (!body.is_object() || !body.contains("input")) throw std::invalid_argument("input is missing");
  const json inputs = body["input"].is_array() ? body["input"] : json::array({body["input"]});
  const size_t dimensions = body.value("dimensions", kDimensions);
  if (dimensions == 0 || dimensions > kMaxDimensions) throw std::invalid_argument("dimensions must be from 1 to 4096");
  json data = json::array();
  int64_t tokens = 0;
  for (const json& input : inputs) {
    if (!input.is_string()) throw std::invalid_argument("input must be a text, or a list of texts");
    const std::string text = input.get<std::string>();
    tokens += count_tokens(text);
    data.push_back({{"object", "embedding"}, {"index", data.size()}, {"embedding", embed(text, dimensions)}});
  }
  return {{"object", "list"},
          {"data", std::move(data)},
          {"model", body.value("model", "")},
          {"usage", {{"prompt_tokens", tokens}, {"total_tokens", tokens}}}};
}

std::function<void(httplib::Response&)> refusal(int status, std::string message) {
  return [status, message = std::move(message)](httplib::Response& response) {
    answer(response, status, error_body(message, "invalid_request_error"));
  };
}

}  // namespace

Endpoint::Endpoint(EndpointOptions options) : options_(std::move(options)), http_(std::make_unique<Http>()) {
  httplib::Server& server = http_->server;
  server.set_tcp_nodelay(true);
  server.set_payload_max_length(kMaxBody);
  server.set_keep_alive_timeout(kKeepAliveSeconds);
  server.set_keep_alive_max_count(SIZE_MAX);
  server.new_task_queue = [] { return new httplib::ThreadPool(kThreads); };
  server.set_socket_options([this](socket_t socket) {
    http_->listener = socket;
    const int yes = 1;
    setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
  });
  add_routes();
}

Endpoint::~Endpoint() { stop(); }

int Endpoint::start() {
  httplib::Server& server = http_->server;
  int port = options_.port;
  if (port == 0)
    port = server.bind_to_any_port("127.0.0.1");
  else if (!server.bind_to_port("127.0.0.1", port))
    port = -1;
  if (port <= 0)
    throw std::runtime_error(
        fmt::format("port {} is not to be had on 127.0.0.1: name another one with --port, or 0", options_.port));
  listen(http_->listener, kBacklog);  // the library's own queue is of five
  thread_ = std::thread([&server] { server.listen_after_bind(); });
  return port;
}

void Endpoint::stop() {
  stopping_ = true;
  if (!thread_.joinable()) return;
  http_->server.stop();
  thread_.join();
}

void Endpoint::record(json entry) {
  const std::lock_guard lock(mutex_);
  entry["number"] = ++request_count_;
  requests_.push_back(std::move(entry));
  if (requests_.size() > kKeptRequests) requests_.pop_front();
}

json Endpoint::requests() const {
  const std::lock_guard lock(mutex_);
  return {{"count", request_count_}, {"requests", json(requests_)}};
}

void Endpoint::add_routes() {
  httplib::Server& server = http_->server;
  const auto body_of = [](const httplib::Request& request) { return json::parse(request.body, nullptr, false); };
  // What came is recorded before it is answered, which may take its time.
  const auto service = [this, body_of](auto prepare) {
    return [this, body_of, prepare](const httplib::Request& request, httplib::Response& response) {
      const json body = body_of(request);
      json entry = {{"path", request.path},
                    {"body", body.is_discarded() ? json(request.body) : body},
                    {"headers", json::object()}};
      for (const auto& [name, value] : request.headers) entry["headers"][name] = value;
      Answer answer_it;
      if (!options_.api_key.empty() && request.get_header_value("Authorization") != "Bearer " + options_.api_key) {
        answer_it = refusal(401, "incorrect API key provided");
      } else {
        try {
          answer_it = prepare(body, entry);
        } catch (const std::exception& error) {
          answer_it = refusal(400, error.what());
        }
      }
      record(std::move(entry));
      answer_it(response);
    };
  };
  server.Post("/v1/chat/completions", service([this](const json& body, json& entry) { return chat(body, entry); }));
  server.Post("/v1/embeddings", service([](const json& body, json&) -> Answer {
                const json found = embeddings(body);
                return [found](httplib::Response& response) { answer(response, 200, found); };
              }));
  server.Get("/v1/models", [](const httplib::Request&, httplib::Response& response) {
    const json model = {{"id", "sandbox"}, {"object", "model"}, {"created", 0}, {"owned_by", "skald"}};
    answer(response, 200, {{"object", "list"}, {"data", {model}}});
  });
  server.Get("/sandbox/requests",
             [this](const httplib::Request&, httplib::Response& response) { answer(response, 200, requests()); });
  server.Delete("/sandbox/requests", [this](const httplib::Request&, httplib::Response& response) {
    const std::lock_guard lock(mutex_);
    requests_.clear();
    request_count_ = 0;
    response.status = 204;
  });
  server.Put("/sandbox/script", [this, body_of](const httplib::Request& request, httplib::Response& response) {
    try {
      script_.load(body_of(request));
      response.status = 204;
    } catch (const std::exception& error) {
      answer(response, 400, error_body(error.what(), "invalid_script"));
    }
  });
}

Endpoint::Answer Endpoint::chat(const json& body, json& entry) {
  const ChatRequest request = ChatRequest::parse(body);
  Reply reply = judge(request);
  reply.delay = options_.latency;
  if (auto found = script_.find(request, reply)) {
    entry["rule"] = found->rule;
    reply = std::move(found->reply);
  }
  const std::string id = fmt::format("chatcmpl-{:x}", std::chrono::steady_clock::now().time_since_epoch().count());
  return
      [this, request, reply, id](httplib::Response& response) { answer_chat(request, reply, id, stopping_, response); };
}

}  // namespace skald::samples::llm
