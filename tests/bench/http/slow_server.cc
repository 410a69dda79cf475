#include "tests/bench/http/slow_server.h"

#include <chrono>
#include <csignal>
#include <deque>
#include <stdexcept>
#include <string_view>
#include <unordered_map>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace skald::bench {
namespace {

using Clock = std::chrono::steady_clock;
using Millis = std::chrono::milliseconds;

constexpr std::string_view kAnswer =
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n{\"ok\":true}";

// The child's whole life.
class Service {
 public:
  Service(int listener, int delay_ms) : listener_(listener), delay_(delay_ms), epoll_(epoll_create1(0)) {
    watch(listener_);
  }

  [[noreturn]] void serve() {
    for (;;) {
      epoll_event events[256];
      const int count = epoll_wait(epoll_, events, 256, timeout());
      for (int i = 0; i < count; ++i) events[i].data.fd == listener_ ? accept_all() : read(events[i].data.fd);
      for (; !due_.empty() && due_.front().first <= Clock::now(); due_.pop_front()) {
        if (unread_.contains(due_.front().second))
          send(due_.front().second, kAnswer.data(), kAnswer.size(), MSG_NOSIGNAL);
      }
    }
  }

 private:
  int timeout() const {
    if (due_.empty()) return -1;
    const auto left = std::chrono::ceil<Millis>(due_.front().first - Clock::now());
    return left.count() < 0 ? 0 : static_cast<int>(left.count());
  }

  void watch(int socket) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = socket;
    epoll_ctl(epoll_, EPOLL_CTL_ADD, socket, &event);
  }

  void accept_all() {
    for (int socket; (socket = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK)) >= 0;) {
      const int yes = 1;
      setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
      unread_[socket];
      watch(socket);
    }
  }

  void read(int socket) {
    char buffer[4096];
    const ssize_t got = recv(socket, buffer, sizeof buffer, 0);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) {
      unread_.erase(socket);
      close(socket);
      return;
    }
    std::string& text = unread_[socket];
    text.append(buffer, static_cast<size_t>(got));
    constexpr std::string_view kEnd = "\r\n\r\n";
    for (size_t end; (end = text.find(kEnd)) != std::string::npos; text.erase(0, end + kEnd.size()))
      due_.emplace_back(Clock::now() + delay_, socket);
  }

  const int listener_;
  const Millis delay_;
  const int epoll_;
  std::unordered_map<int, std::string> unread_;
  std::deque<std::pair<Clock::time_point, int>> due_;
};

}  // namespace

SlowServer::SlowServer(int delay_ms) {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  if (bind(listener, generic, size) != 0 || listen(listener, 4096) != 0 || getsockname(listener, generic, &size) != 0)
    throw std::runtime_error("no port on loopback");
  port_ = ntohs(address.sin_port);
  child_ = fork();
  if (child_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    Service(listener, delay_ms).serve();
  }
  close(listener);
}

SlowServer::~SlowServer() {
  kill(child_, SIGKILL);
  waitpid(child_, nullptr, 0);
}

}  // namespace skald::bench
