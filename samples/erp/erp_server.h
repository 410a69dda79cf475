#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "samples/erp/books.h"
#include "samples/erp/connections.h"
#include "samples/erp/faults.h"

namespace skald::erp {

struct ErpOptions {
  int port = 0;  // 0: a free one
  std::string api_key = "sandbox-key";
  json faults = json::object();
};

// The sandbox ERP: an HTTP server on the loopback with books in memory. docs/erp.md has its routes. Thread-safe.
class ErpServer final : private Connections {
 public:
  // Serves when it returns. Throws Refusal when the faults make no sense, std::runtime_error when the port is taken.
  explicit ErpServer(ErpOptions options = {});
  ~ErpServer() override;

  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  // As PUT /sandbox/faults. What is held goes on.
  void set_faults(const json& plan);
  // As GET /sandbox/books.
  json books();
  // Returns when a call is being held, or after ten seconds: whether one is.
  bool wait_for_held();

 private:
  struct Request {
    const httplib::Request& http;
    json body;
    Version version;
    std::string id;  // from the path
  };
  struct Answer {
    int status = 200;
    json body;
  };
  using Handler = std::function<Answer(const Request&)>;

  // `pattern` with {id} for a part of the path.
  void api(const std::string& method, const std::string& pattern, Handler handler);
  void sandbox(const std::string& method, const std::string& pattern, Handler handler);
  void add(const std::string& method, const std::string& pattern, httplib::Server::Handler handler);
  void add_catalogue_routes();
  void add_order_routes();
  void add_sandbox_routes();
  void add_feed(const std::string& path, const std::string& kind);

  void serve(const std::string& route, const Handler& handler, const httplib::Request& http, httplib::Response& out);
  Answer act(const CallFault& fault, const Handler& handler, const httplib::Request& http);
  Answer once(const Handler& handler, const Request& request);
  CallFault begin(const std::string& route, const std::string& key);
  void write(const Answer& answer, httplib::Response& out);
  Request read(const httplib::Request& http) const;

  const ErpOptions options_;
  std::vector<std::string> routes_;
  std::mutex mutex_;
  std::condition_variable held_changed_;
  Books books_;
  FaultPlan faults_;
  int64_t plan_ = 0;  // counts plans
  int held_ = 0;
  struct Done {
    std::string fingerprint;
    Answer answer;
  };
  std::map<std::string, Done> done_;  // by idempotency key
  std::map<std::string, int64_t> calls_, troubles_, answers_;
  std::set<std::string> keys_;
  int64_t replayed_ = 0;  // answers that were given again under their key
  int64_t repeated_ = 0;  // calls with a key that had come before
  int64_t found_ = 0;     // records that were asked for by their reference
  int port_ = 0;
  std::thread thread_;
};

}  // namespace skald::erp
