#include "plugins/sdk/http_loop.h"

#include <algorithm>
#include <csignal>
#include <new>
#include <utility>

#include <pthread.h>

namespace skald::plugin {
namespace {

constexpr std::chrono::milliseconds kLook(50);
constexpr int kAtRest = 60000;  // ms; it is woken when there is something to do

HttpResult stopped() {
  HttpResult result;
  result.kind = HttpResult::Kind::kStopped;
  return result;
}

// Signals are for the host's threads. OpenSSL writes to sockets that may be closed.
void block_signals() {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
  pthread_setname_np(pthread_self(), "skald-http");
}

}  // namespace

HttpLoop::HttpLoop(std::function<void()> sweep) : sweep_(std::move(sweep)) {
  curl_global_init(CURL_GLOBAL_DEFAULT);
  multi_ = curl_multi_init();
  if (multi_ == nullptr) throw std::bad_alloc();
  thread_ = std::thread([this] { work(); });
}

HttpLoop::~HttpLoop() {
  stop();
  thread_.join();
  curl_multi_cleanup(multi_);
}

void HttpLoop::start(HttpTry given) {
  bool refused;
  {
    std::lock_guard lock(mutex_);
    refused = stopping_;
    if (!refused) new_.push_back(std::move(given));
  }
  if (refused) return given.done(stopped());
  curl_multi_wakeup(multi_);
}

void HttpLoop::stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  curl_multi_wakeup(multi_);
}

void HttpLoop::work() {
  block_signals();
  int ready = 0;  // sockets
  while (take_new()) {
    long due = -1;
    curl_multi_timeout(multi_, &due);
    if (ready > 0 || due == 0) {
      int running = 0;
      curl_multi_perform(multi_, &running);
      take_ended();
    }
    if (Clock::now() >= next_look_) look_after();
    ready = wait();
  }
  while (!transfers_.empty()) remove(transfers_.begin()->first)->finish(HttpResult::Kind::kStopped, "");
}

// Until there is something to do; how many sockets there is something to do with.
int HttpLoop::wait() {
  int longest = kAtRest, ready = 0;
  if (!transfers_.empty()) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(next_look_ - Clock::now());
    longest = std::max(static_cast<int>(left.count()), 0);
  }
  curl_multi_poll(multi_, nullptr, 0, longest, &ready);
  return ready;
}

bool HttpLoop::take_new() {
  std::vector<HttpTry> arrived;
  bool stopping;
  {
    std::lock_guard lock(mutex_);
    arrived.swap(new_);
    stopping = stopping_;
  }
  for (HttpTry& each : arrived) stopping ? each.done(stopped()) : begin(std::move(each));
  return !stopping;
}

void HttpLoop::begin(HttpTry given) {
  auto transfer = std::make_unique<HttpTransfer>(std::move(given));
  CURL* const handle = transfer->handle();
  transfers_.emplace(handle, std::move(transfer));
  curl_multi_add_handle(multi_, handle);
}

std::unique_ptr<HttpTransfer> HttpLoop::remove(CURL* handle) {
  curl_multi_remove_handle(multi_, handle);
  return std::move(transfers_.extract(handle).mapped());
}

void HttpLoop::take_ended() {
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    const CURLcode code = message->data.result;  // the message is gone with the handle
    const auto transfer = remove(message->easy_handle);
    transfer->finish(code);
  }
}

void HttpLoop::look_after() {
  next_look_ = Clock::now() + kLook;
  std::vector<CURL*> gone, idle;
  for (const auto& [handle, transfer] : transfers_) {
    if (transfer->gone()) {
      gone.push_back(handle);
    } else if (transfer->idle_too_long()) {
      idle.push_back(handle);
    }
  }
  for (CURL* const handle : gone) remove(handle)->finish(HttpResult::Kind::kGone, "");
  for (CURL* const handle : idle) remove(handle)->finish(HttpResult::Kind::kTimeout, "no byte came for too long");
  sweep_();
}

}  // namespace skald::plugin
