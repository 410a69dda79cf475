#include "tests/unit/kit/raw_server.h"

#include <cstdlib>
#include <stdexcept>
#include <utility>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace skald::plugin {
namespace {

constexpr std::string_view kEnd = "\r\n\r\n";

size_t body_length(const std::string& head) {
  const std::string_view name = "Content-Length: ";
  const size_t at = head.find(name);
  return at == std::string::npos ? 0 : std::strtoul(head.c_str() + at + name.size(), nullptr, 10);
}

}  // namespace

std::string RawConnection::read_request() {
  for (;;) {
    const size_t end = rest_.find(kEnd);
    if (end != std::string::npos) {
      const size_t whole = end + kEnd.size() + body_length(rest_.substr(0, end + 2));
      if (rest_.size() >= whole) {
        std::string request = rest_.substr(0, whole);
        rest_.erase(0, whole);
        return request;
      }
    }
    char buffer[4096];
    const ssize_t got = recv(socket_, buffer, sizeof buffer, 0);
    if (got <= 0) return "";
    rest_.append(buffer, static_cast<size_t>(got));
  }
}

void RawConnection::write(std::string_view text) {
  while (!text.empty()) {
    const ssize_t sent = send(socket_, text.data(), text.size(), MSG_NOSIGNAL);
    if (sent <= 0) return;
    text.remove_prefix(static_cast<size_t>(sent));
  }
}

void RawConnection::wait_closed() {
  char buffer[4096];
  while (recv(socket_, buffer, sizeof buffer, 0) > 0) {
  }
}

void RawConnection::reset() {
  const linger none = {1, 0};
  setsockopt(socket_, SOL_SOCKET, SO_LINGER, &none, sizeof none);
}

RawServer::RawServer(std::function<void(RawConnection&)> handle)
    : handle_(std::move(handle)), listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  if (bind(listener_, generic, size) != 0 || listen(listener_, 128) != 0 || getsockname(listener_, generic, &size) != 0)
    throw std::runtime_error("no port on loopback");
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { accept_all(); });
}

RawServer::~RawServer() {
  ::shutdown(listener_, SHUT_RDWR);
  acceptor_.join();
  close(listener_);
  {
    const std::lock_guard lock(mutex_);
    for (const int socket : sockets_) ::shutdown(socket, SHUT_RDWR);
  }
  for (std::thread& thread : threads_) thread.join();
}

std::string RawServer::url(const std::string& path) const { return "http://127.0.0.1:" + std::to_string(port_) + path; }

void RawServer::accept_all() {
  for (;;) {
    const int socket = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (socket < 0) return;
    ++connections_;
    {
      const std::lock_guard lock(mutex_);
      sockets_.insert(socket);
    }
    threads_.emplace_back([this, socket] {
      RawConnection connection(socket);
      handle_(connection);
      const std::lock_guard lock(mutex_);
      sockets_.erase(socket);
      close(socket);
    });
  }
}

std::string answer(int status, const std::string& body, const std::string& headers) {
  return "HTTP/1.1 " + std::to_string(status) + " Status\r\n" + headers +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

}  // namespace skald::plugin
