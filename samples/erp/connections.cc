#include "samples/erp/connections.h"

#include <cerrno>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace skald::erp {
namespace {

constexpr int kLookMs = 50;            // how often a connection that waits looks whether the server stops
constexpr int kRequestMs = 10000;      // for the rest of a request that has begun
constexpr int kQueue = 1024;           // connections that wait to be taken
constexpr size_t kEndless = 1U << 30;  // requests on one connection

thread_local Delivery next_delivery = Delivery::kWhole;

bool ready(socket_t sock, short what, int ms) {
  pollfd wanted{sock, what, 0};
  return poll(&wanted, 1, ms) > 0;
}

// One connection's bytes. When the answer is not to be delivered, writing fails.
class SocketStream final : public httplib::Stream {
 public:
  explicit SocketStream(socket_t sock) : sock_(sock) {}

  bool is_readable() const override { return ready(sock_, POLLIN, kRequestMs); }
  bool is_writable() const override { return ready(sock_, POLLOUT, kRequestMs); }
  ssize_t read(char* data, size_t size) override {
    if (at_ == filled_) {
      if (!is_readable()) return -1;
      const ssize_t got = recv(sock_, buffer_, sizeof buffer_, 0);
      if (got <= 0) return got;
      at_ = 0;
      filled_ = static_cast<size_t>(got);
    }
    const size_t taken = std::min(size, filled_ - at_);
    std::copy_n(buffer_ + at_, taken, data);
    at_ += taken;
    return static_cast<ssize_t>(taken);
  }
  // The header comes as one piece, then the body as another.
  ssize_t write(const char* data, size_t size) override {
    if (next_delivery == Delivery::kNothing) return -1;
    const bool is_header = size > 5 && std::equal(data, data + 5, "HTTP/");
    if (next_delivery == Delivery::kHalf && !is_header) {
      send(sock_, data, size / 2, MSG_NOSIGNAL);
      next_delivery = Delivery::kNothing;
      return -1;
    }
    return send(sock_, data, size, MSG_NOSIGNAL);
  }
  bool has_more() const { return at_ < filled_; }
  void get_remote_ip_and_port(std::string& ip, int& port) const override { address(getpeername, ip, port); }
  void get_local_ip_and_port(std::string& ip, int& port) const override { address(getsockname, ip, port); }
  socket_t socket() const override { return sock_; }

 private:
  template <typename Ask>
  void address(Ask ask, std::string& ip, int& port) const {
    sockaddr_in in{};
    socklen_t size = sizeof in;
    if (ask(sock_, reinterpret_cast<sockaddr*>(&in), &size) != 0) return;
    char text[INET_ADDRSTRLEN] = "";
    inet_ntop(AF_INET, &in.sin_addr, text, sizeof text);
    ip = text;
    port = ntohs(in.sin_port);
  }

  const socket_t sock_;
  char buffer_[4096];
  size_t at_ = 0, filled_ = 0;
};

// A thread for each connection, so that one that waits holds up no other.
class Threads final : public httplib::TaskQueue {
 public:
  void enqueue(std::function<void()> body) override {
    {
      std::lock_guard lock(running_->mutex);
      ++running_->count;
    }
    std::thread([running = running_, body = std::move(body)] {
      body();
      std::lock_guard lock(running->mutex);
      --running->count;
      running->ended.notify_all();
    }).detach();
  }
  void shutdown() override {
    std::unique_lock lock(running_->mutex);
    running_->ended.wait(lock, [this] { return running_->count == 0; });
  }

 private:
  struct Running {
    std::mutex mutex;
    std::condition_variable ended;
    int count = 0;
  };
  const std::shared_ptr<Running> running_ = std::make_shared<Running>();
};

}  // namespace

Connections::Connections() {
  new_task_queue = [] { return new Threads; };
  set_tcp_nodelay(true);
  set_keep_alive_max_count(kEndless);
}

Connections::~Connections() = default;

void Connections::deliver(Delivery delivery) { next_delivery = delivery; }

void Connections::queue_many() { ::listen(svr_sock_, kQueue); }

bool Connections::process_and_close_socket(socket_t sock) {
  SocketStream stream(sock);
  bool goes_on = true, closed = false;
  while (goes_on && !closed) {
    if (!stream.has_more() && !ready(sock, POLLIN, kLookMs)) {
      if (svr_sock_ == INVALID_SOCKET) break;
      continue;
    }
    next_delivery = Delivery::kWhole;
    goes_on = process_request(stream, false, closed, nullptr) && next_delivery == Delivery::kWhole;
  }
  shutdown(sock, SHUT_RDWR);
  close(sock);
  return goes_on;
}

}  // namespace skald::erp
