#include "tests/unit/store/mysql_proxy.h"

#include <array>
#include <cstdlib>
#include <utility>
#include <vector>

#include <absl/strings/match.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

namespace skald::store {
namespace {

constexpr size_t kHeader = 4;  // three bytes of length, one of sequence: https://mariadb.com/kb/en/0-packet/
constexpr char kQuery = 0x03;

sockaddr_in address_of(const std::string& host, int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  inet_pton(AF_INET, host.c_str(), &address.sin_addr);
  return address;
}

void check(bool good, const char* what) {
  if (good) return;
  perror(what);
  abort();
}

void send_all(int socket, const std::string& bytes) {
  for (size_t sent = 0; sent < bytes.size();) {
    const ssize_t now = send(socket, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (now <= 0) return;  // the other side is gone: its end is seen when it is read
    sent += static_cast<size_t>(now);
  }
}

// Empty at the end.
std::string received(int socket) {
  std::array<char, 1 << 16> buffer;
  const ssize_t size = recv(socket, buffer.data(), buffer.size(), 0);
  return size > 0 ? std::string(buffer.data(), static_cast<size_t>(size)) : std::string();
}

void close_one(int& socket) {
  if (socket >= 0) close(socket);
  socket = -1;
}

bool is_commit(const std::string& packet) {
  return packet.size() > kHeader && packet[kHeader] == kQuery &&
         absl::EqualsIgnoreCase(packet.substr(kHeader + 1), "COMMIT");
}

}  // namespace

MysqlProxy::MysqlProxy(const std::string& host, int port) : host_(host), server_port_(port) {
  waker_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = address_of("127.0.0.1", 0);
  check(bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0, "bind");
  check(listen(listener_, 64) == 0, "listen");
  socklen_t size = sizeof(address);
  check(getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) == 0, "getsockname");
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { loop(); });
}

MysqlProxy::~MysqlProxy() {
  stopping_ = true;
  wake();
  thread_.join();
  for (Link& link : links_) {
    close_one(link.client);
    close_one(link.server);
  }
  close_one(listener_);
  close_one(waker_);
}

void MysqlProxy::wake() const { eventfd_write(waker_, 1); }

void MysqlProxy::at_commit(AtCommit what) { next_ = what; }

void MysqlProxy::deliver() {
  delivering_ = true;
  wake();
}

void MysqlProxy::hold() {
  holding_ = true;
  wake();
}

void MysqlProxy::release() {
  holding_ = false;
  wake();
}

void MysqlProxy::loop() {
  while (!stopping_) {
    std::vector<pollfd> watched = {{waker_, POLLIN, 0}};
    if (!holding_) {
      watched.push_back({listener_, POLLIN, 0});
      for (const Link& link : links_) {
        watched.push_back({link.client, POLLIN, 0});  // poll passes over what is closed
        watched.push_back({link.server, POLLIN, 0});
      }
    }
    poll(watched.data(), watched.size(), -1);
    eventfd_t ignored = 0;
    eventfd_read(waker_, &ignored);
    if (delivering_.exchange(false)) {
      for (Link& link : links_) {
        send_all(link.server, std::exchange(link.stranded, ""));
      }
    }
    for (Link& link : links_) {
      if (!holding_) pass_packets(link);  // what a hold kept
    }
    size_t next = 2;
    for (Link& link : links_) {
      if (next + 1 >= watched.size() || holding_) break;
      if (watched[next].revents != 0) from_client(link);
      if (!link.over && watched[next + 1].revents != 0) from_server(link);
      next += 2;
    }
    for (auto link = links_.begin(); link != links_.end();) {
      if (!link->over) {
        ++link;
        continue;
      }
      close_one(link->client);
      close_one(link->server);
      link = links_.erase(link);
    }
    if (!holding_ && watched.size() > 1 && watched[1].revents != 0) accept_one();
  }
}

void MysqlProxy::accept_one() {
  Link link;
  link.client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
  link.server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = address_of(host_, server_port_);
  const int on = 1;
  setsockopt(link.client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  setsockopt(link.server, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  if (connect(link.server, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0) {
    links_.push_back(std::move(link));
    return;
  }
  close_one(link.client);
  close_one(link.server);
}

void MysqlProxy::from_client(Link& link) {
  const std::string bytes = received(link.client);
  if (bytes.empty()) {
    link.over = true;
    return;
  }
  link.pending += bytes;
  pass_packets(link);
}

void MysqlProxy::pass_packets(Link& link) {
  while (link.pending.size() >= kHeader) {
    const auto byte = [&](size_t at) { return static_cast<size_t>(static_cast<unsigned char>(link.pending[at])); };
    const size_t size = kHeader + byte(0) + (byte(1) << 8) + (byte(2) << 16);
    if (link.over || link.pending.size() < size) return;
    if (!pass(link, link.pending.substr(0, size))) return;
    link.pending.erase(0, size);
  }
}

bool MysqlProxy::pass(Link& link, const std::string& packet) {
  const AtCommit what = is_commit(packet) ? next_.exchange(AtCommit::kPass) : AtCommit::kPass;
  switch (what) {
    case AtCommit::kPass:
      break;
    case AtCommit::kCutBefore:
      link.over = true;
      return false;
    case AtCommit::kCutAfter:
      link.cut_when_answered = true;
      break;
    case AtCommit::kStrand:
      link.stranded = packet;
      link.pending.clear();
      link.cut_when_answered = true;
      close_one(link.client);
      return false;
    case AtCommit::kHold:
      holding_ = true;
      return false;  // it stays in `pending`
  }
  send_all(link.server, packet);
  return true;
}

void MysqlProxy::from_server(Link& link) {
  const std::string bytes = received(link.server);
  link.over = bytes.empty() || link.cut_when_answered;
  if (!link.over) send_all(link.client, bytes);
}

}  // namespace skald::store
