#pragma once

#include <memory>
#include <string>

#include <absl/functional/any_invocable.h>
#include <absl/status/statusor.h>

namespace skald::demo {

// A shop's way to the engine: the public API over gRPC. A request is repeated, under the same request id, until the
// server has answered: it may be away for a while. Callbacks are called once, on any thread, and must not block.
// Thread-safe.
class ShopClient {
 public:
  using Done = absl::AnyInvocable<void(absl::Status)>;
  using ResultDone = absl::AnyInvocable<void(absl::StatusOr<std::string>)>;

  explicit ShopClient(const std::string& address);
  // No call may be under way.
  ~ShopClient();

  // `input` is JSON. A workflow of this id that exists already counts as started.
  void start(const std::string& type, const std::string& id, const std::string& input, Done done);
  // NOT_FOUND if the workflow has ended.
  void signal(const std::string& id, const std::string& name, const std::string& input, Done done);
  // Waits for the workflow's end; its result as JSON, or an error that says how it failed.
  void await(const std::string& id, ResultDone done);

  // Whether there is a workflow of this id, be it open or closed. Blocks.
  absl::StatusOr<bool> knows(const std::string& id);
  // How many signals stand in the history of a workflow. Blocks.
  absl::StatusOr<int> signals(const std::string& id);
  // start and await, blocking.
  absl::StatusOr<std::string> run(const std::string& type, const std::string& id, const std::string& input);

 private:
  struct Connection;
  std::shared_ptr<Connection> connection_;
};

}  // namespace skald::demo
