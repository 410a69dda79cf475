#pragma once

#include <atomic>
#include <functional>
#include <list>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <thread>

namespace skald::plugin {

// One connection of a RawServer.
class RawConnection {
 public:
  explicit RawConnection(int socket) : socket_(socket) {}
  // A whole request with its body; "" when the client has closed.
  std::string read_request();
  void write(std::string_view text);
  void wait_closed();  // by the client
  void reset();        // closed so that the client sees an error

 private:
  int socket_;
  std::string rest_;
};

// A server on loopback that answers as badly as a test likes. Each connection has a thread that runs the handler, and
// is closed when that returns.
class RawServer {
 public:
  explicit RawServer(std::function<void(RawConnection&)> handle);
  ~RawServer();  // cuts all connections

  std::string url(const std::string& path = "/") const;
  int connections() const { return connections_; }

 private:
  void accept_all();

  const std::function<void(RawConnection&)> handle_;
  int listener_;
  int port_;
  std::atomic<int> connections_ = 0;
  std::thread acceptor_;
  std::mutex mutex_;
  std::set<int> sockets_;           // open ones
  std::list<std::thread> threads_;  // the acceptor's
};

// An answer with a body.
std::string answer(int status, const std::string& body = "", const std::string& headers = "");

}  // namespace skald::plugin
