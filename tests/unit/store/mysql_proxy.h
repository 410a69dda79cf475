#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <list>
#include <mutex>
#include <string>
#include <thread>

namespace skald::store {

// What becomes of the next COMMIT that a client sends.
enum class AtCommit {
  kPass,
  kCutBefore,  // both sides are cut; the server never sees it
  kCutAfter,   // the server answers it, then both sides are cut; the client never sees the answer
  kStrand,     // the client is cut, the server's side stays open: until deliver() sends it the COMMIT
  kHold,       // as hold() at that moment
};

// A network between MySQL clients and a server: passes bytes on, until it is told to be a bad one. One thread of its
// own.
class MysqlProxy {
 public:
  MysqlProxy(const std::string& host, int port);
  ~MysqlProxy();
  MysqlProxy(const MysqlProxy&) = delete;
  MysqlProxy& operator=(const MysqlProxy&) = delete;

  int port() const { return port_; }

  // Once; then it passes again.
  void at_commit(AtCommit what);
  // Whether at_commit's has happened.
  bool happened() const { return next_.load() == AtCommit::kPass; }
  // Passes the stranded COMMIT on, and ends its connection when the server has answered.
  void deliver();
  // Nothing passes any more, not even that a side is gone; what is sent waits.
  void hold();
  void release();

 private:
  struct Link {
    int client = -1;
    int server = -1;
    std::string pending;   // bytes of the client that are no whole packet yet
    std::string stranded;  // the COMMIT that is kept back
    bool cut_when_answered = false;
    bool over = false;
  };

  void loop();
  void accept_one();
  void from_client(Link& link);
  void pass_packets(Link& link);
  void from_server(Link& link);
  // False if the packet ends the link, or is kept.
  bool pass(Link& link, const std::string& packet);
  void wake() const;

  const std::string host_;
  const int server_port_;
  int listener_ = -1;
  int port_ = 0;
  int waker_ = -1;
  std::atomic<AtCommit> next_ = AtCommit::kPass;
  std::atomic<bool> holding_ = false;
  std::atomic<bool> delivering_ = false;
  std::atomic<bool> stopping_ = false;
  std::list<Link> links_;  // of the thread alone
  std::thread thread_;
};

}  // namespace skald::store
