#pragma once

#include <httplib.h>

namespace skald::erp {

// What may happen to an answer on its way.
enum class Delivery { kWhole, kNothing, kHalf };

// An HTTP/1.1 server that can end a connection instead of answering, or in the middle of an answer; a thread each
// connection. stop() ends connections that wait for a request.
class Connections : public httplib::Server {
 public:
  Connections();
  ~Connections() override;

 protected:
  // To be called by a handler: how its answer goes out.
  static void deliver(Delivery delivery);
  // To be called once it is bound: many may connect at the same moment. httplib has room for five.
  void queue_many();

 private:
  bool process_and_close_socket(socket_t sock) override;
};

}  // namespace skald::erp
