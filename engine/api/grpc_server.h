#pragma once

#include <absl/status/statusor.h>

#include <memory>
#include <string>

#include "engine/api/call.h"

namespace skald::api {

// The gRPC server: takes calls off the wire, hands them to their method's handler, and sends answers and errors back. Every method is
// served through one generic handler, so that bytes of history pass through unparsed. Health is served for "" and the workflow service.
class GrpcServer {
 public:
  explicit GrpcServer(Methods methods);
  ~GrpcServer();

  // Binds `address` (host:port; port 0 picks a free one) and serves. Returns the bound port; FAILED_PRECONDITION if it is taken.
  absl::StatusOr<int> start(const std::string& address);
  // What health checks are told. Thread-safe once started.
  void set_serving(bool serving);
  // Says NOT_SERVING to health checks, from now on.
  void drain();
  // Ends open calls after `grace`. Handlers must have answered all calls, or do so because of their cancellation.
  void stop(absl::Duration grace);

 private:
  class Service;
  struct Running;
  std::unique_ptr<Service> service_;
  std::unique_ptr<Running> running_;
};

}  // namespace skald::api
