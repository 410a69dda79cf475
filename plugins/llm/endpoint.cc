#include "plugins/llm/endpoint.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <optional>
#include <utility>

#include "plugins/sdk/wait.h"

namespace skald::plugin::llm {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;

constexpr milliseconds kFirstPause(200);
constexpr milliseconds kBetweenHeartbeats(200);
constexpr size_t kMostTold = 300;  // bytes of an endpoint's words in a failure

milliseconds left(Endpoint::Clock::time_point until) {
  return std::max(milliseconds(0), std::chrono::ceil<milliseconds>(until - Endpoint::Clock::now()));
}

// In seconds or as a date; nothing if there is none that makes sense.
std::optional<milliseconds> retry_after(const HttpResponse& response) {
  const std::string* value = response.header("Retry-After");
  if (value == nullptr) return std::nullopt;
  char* end = nullptr;
  const double seconds = std::strtod(value->c_str(), &end);
  if (end != value->c_str() && *end == '\0' && seconds >= 0 && seconds < 1e7)
    return milliseconds(static_cast<int64_t>(seconds * 1000));
  std::tm date{};
  if (strptime(value->c_str(), "%a, %d %b %Y %H:%M:%S GMT", &date) == nullptr) return std::nullopt;
  const auto at = std::chrono::system_clock::from_time_t(timegm(&date));
  return std::max(milliseconds(0), std::chrono::duration_cast<milliseconds>(at - std::chrono::system_clock::now()));
}

std::string told(const HttpResponse& response) {
  const json body = json::parse(response.body, nullptr, false);
  std::string said;
  if (body.is_object() && body.contains("error")) {
    const json& error = body["error"];
    if (error.is_object() && error.contains("message") && error["message"].is_string()) said = error["message"];
    if (error.is_string()) said = error;
  }
  std::string text = "the endpoint answers " + std::to_string(response.status);
  if (!said.empty()) text += ": " + beginning_of(said, kMostTold);
  return text;
}

bool is_busy(int status) { return status == 408 || status == 409 || status == 429 || status >= 500; }

// What comes in while an answer is under way. It may turn out to be no stream, because not every endpoint knows how to.
struct Incoming {
  ChatStream stream;
  std::string whole;
  bool is_json = false, begun = false;
  std::atomic<int64_t> pieces = 0;

  bool feed(std::string_view bytes) {
    if (!begun) {
      const size_t first = bytes.find_first_not_of(" \t\r\n");
      if (first == std::string_view::npos) return true;
      begun = true;
      is_json = bytes[first] == '{';
    }
    if (is_json) {
      whole += bytes;
      return whole.size() < (8 << 20);
    }
    const bool go_on = stream.feed(bytes);
    pieces = stream.pieces();
    return go_on;
  }
};

void on_incoming(HttpRequest& request, const std::shared_ptr<Incoming>& incoming, Context& context, int64_t number) {
  auto last = std::make_shared<Endpoint::Clock::time_point>();
  request.on_data = [incoming, last, context = context.shared_from_this(), number](std::string_view bytes) {
    const bool go_on = incoming->feed(bytes);
    const auto now = Endpoint::Clock::now();
    if (now - *last >= kBetweenHeartbeats) {
      *last = now;
      context->heartbeat({{"tokens", incoming->pieces.load()}, {"request", number}});
    }
    return go_on;
  };
}

// The answer if there is one; else why not.
std::optional<ChatAnswer> finished(const HttpResponse& response, Incoming* incoming, std::string& problem) {
  try {
    if (incoming == nullptr) return read_chat(response.parsed());
    if (incoming->is_json) return read_chat(json::parse(incoming->whole));
    incoming->stream.end();
    if (incoming->stream.problem().empty() && incoming->stream.complete()) return incoming->stream.answer();
    problem =
        incoming->stream.problem().empty() ? "the stream ended before the answer did" : incoming->stream.problem();
  } catch (const std::exception& e) {
    problem = e.what();
  }
  return std::nullopt;
}

std::string without_words(const ChatAnswer& answer) {
  return "the endpoint's answer has no words" +
         (answer.finish_reason.empty() ? "" : " (finish_reason " + beginning_of(answer.finish_reason, kMostTold) + ")");
}

}  // namespace

// How one try went, so far as it gave no answer.
struct Endpoint::Try {
  std::string problem;
  Reason reason = Reason::kUnavailable;
  bool maybe_sent = false;  // it may have cost something
  milliseconds wait{0};     // as the service says, before the next
  bool may_repeat = true;
};

HttpRequest Endpoint::request(const char* path, std::string body, Clock::time_point until) const {
  HttpRequest request;
  request.method = "POST";
  request.url = settings_.url + path;
  request.headers = {{"Content-Type", "application/json"}};
  if (!settings_.api_key.empty()) request.headers.emplace_back("Authorization", "Bearer " + settings_.api_key);
  request.body = std::move(body);
  request.timeout = std::max(milliseconds(1), left(until));
  request.tries = 1;  // tries are counted here, where it is known what a broken stream is, and when it is too late
  request.max_response_bytes = 64 << 20;
  return request;
}

// An answer of status 0 is none: `state` says why.
Async<HttpResponse> Endpoint::send(Context& context, HttpRequest request, Try& state) const {
  HttpResponse response;
  try {
    Async<HttpResponse> sending = http_().send(context, std::move(request));
    response = co_await sending;
  } catch (const ActivityError& e) {
    if (e.type == "HostStopping") throw;
    state.problem = e.what();
    state.wait = milliseconds(e.next_retry_delay_ms);
    state.maybe_sent = e.type == "HttpTimeout" || e.type == "HttpConnectionLost";
    if (e.type == "HttpTimeout") state.reason = Reason::kTimeout;
    if (e.type == "CircuitOpen") state.reason = Reason::kCircuitOpen;
    state.may_repeat = !e.non_retryable && e.type != "CircuitOpen";
    if (e.non_retryable) throw Trouble(Reason::kUnavailable, e.what(), true);
    response.status = 0;
  }
  if (response.status == 0 || response.ok()) co_return response;
  state.problem = told(response);
  state.may_repeat = is_busy(response.status);
  state.wait = retry_after(response).value_or(milliseconds(0));
  const bool may_be_mended = response.status == 401 || response.status == 403;  // by who keeps the key
  if (!state.may_repeat) throw Trouble(Reason::kUnavailable, state.problem, !may_be_mended);
  response.status = 0;
  co_return response;
}

Async<void> Endpoint::wait_before_next(Context& context, const Try& state, int64_t number,
                                       Clock::time_point until) const {
  if (left(until) == milliseconds(0))
    throw Trouble(Reason::kTimeout, "the model has not answered in time: " + state.problem);
  if (!state.may_repeat || number >= settings_.tries)
    throw Trouble(state.reason, state.problem, false, state.wait.count());
  const milliseconds wait = state.wait.count() > 0 ? state.wait : kFirstPause * (1 << std::min<int64_t>(number - 1, 6));
  if (wait >= left(until)) throw Trouble(state.reason, state.problem, false, wait.count());
  Async<void> pausing = pause(*context.executor(), context, wait);
  co_await pausing;
}

Async<ChatAnswer> Endpoint::ask(Context& context, ChatQuestion question, Clock::time_point until, Spent& spent,
                                const BeforeTry& before) const {
  const std::string body = chat_body(question).dump(-1, ' ', false, json::error_handler_t::replace);
  const int64_t asked_tokens = estimated_tokens(body.size());
  for (int64_t number = 1;; ++number) {
    Try state;
    if (left(until) == milliseconds(0)) throw Trouble(Reason::kTimeout, "there is no time left to ask the model");
    Async<void> allowing = before(spent);
    co_await allowing;
    HttpRequest chat = request("/chat/completions", body, until);
    std::shared_ptr<Incoming> incoming;
    if (question.stream) {
      incoming = std::make_shared<Incoming>();
      chat.idle_timeout = settings_.idle_timeout;
      on_incoming(chat, incoming, context, ++spent.requests);
    } else {
      ++spent.requests;
    }
    const auto begun = Clock::now();
    Async<HttpResponse> sending = send(context, std::move(chat), state);
    const HttpResponse response = co_await sending;
    spent.latency_ms += std::chrono::duration_cast<milliseconds>(Clock::now() - begun).count();
    std::optional<ChatAnswer> answer;
    // Some keep the connection open when all is said: the answer counts all the same.
    const bool complete = incoming != nullptr && incoming->stream.complete();
    if (response.status != 0 || complete) {
      state.maybe_sent = true;
      answer = finished(response, incoming.get(), state.problem);
    }
    if (answer) {
      const int64_t said = estimated_tokens(answer->bytes());
      spent.tokens.add(answer->tokens.value_or(TokenUse{asked_tokens, said, true}));
      if (!answer->is_empty()) co_return *std::move(answer);
      state.problem = without_words(*answer);
    } else if (state.maybe_sent) {
      spent.tokens.add({asked_tokens, incoming == nullptr ? 0 : incoming->pieces.load(), true});
    }
    Async<void> waiting = wait_before_next(context, state, number, until);
    co_await waiting;
  }
}

namespace {

std::vector<Embedding> read_embeddings(const json& body, size_t count) {
  std::vector<Embedding> out(count);
  const json& data = body.at("data");
  if (data.size() != count) throw std::runtime_error("the endpoint gave another number of embeddings");
  for (size_t i = 0; i < count; ++i) {
    const size_t index = data[i].value("index", i);
    if (index >= count || !out[index].empty()) throw std::runtime_error("the endpoint's embeddings are out of order");
    out[index] = data[i].at("embedding").get<Embedding>();
    if (out[index].empty()) throw std::runtime_error("the endpoint gave an embedding without numbers");
  }
  return out;
}

}  // namespace

Async<std::vector<Embedding>> Endpoint::embed(Context& context, std::string model, std::vector<std::string> texts,
                                              Clock::time_point until, Spent& spent,
                                              const BeforeTry& before) const {
  const std::string body = json{{"model", model}, {"input", texts}, {"encoding_format", "float"}}.dump(
      -1, ' ', false, json::error_handler_t::replace);
  for (int64_t number = 1;; ++number) {
    Try state;
    if (left(until) == milliseconds(0)) throw Trouble(Reason::kTimeout, "there is no time left for embeddings");
    Async<void> allowing = before(spent);
    co_await allowing;
    HttpRequest embeddings = request("/embeddings", body, until);
    ++spent.requests;
    const auto begun = Clock::now();
    Async<HttpResponse> sending = send(context, std::move(embeddings), state);
    const HttpResponse response = co_await sending;
    spent.latency_ms += std::chrono::duration_cast<milliseconds>(Clock::now() - begun).count();
    if (response.status != 0) {
      const json answer = json::parse(response.body, nullptr, false);
      try {
        std::vector<Embedding> out = read_embeddings(answer, texts.size());
        const json usage = answer.value("usage", json::object());
        const auto counted = usage.is_object() ? token_count(usage, "prompt_tokens") : std::nullopt;
        spent.tokens.add({counted.value_or(estimated_tokens(body.size())), 0, !counted});
        co_return out;
      } catch (const std::exception& e) {
        state.problem = std::string("the endpoint's embeddings are not readable: ") + e.what();
        state.maybe_sent = true;
      }
    }
    if (state.maybe_sent) spent.tokens.add({estimated_tokens(body.size()), 0, true});
    Async<void> waiting = wait_before_next(context, state, number, until);
    co_await waiting;
  }
}

}  // namespace skald::plugin::llm
