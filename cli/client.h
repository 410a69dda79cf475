#pragma once

#include <memory>
#include <string>

#include <absl/time/time.h>

#include "cli/outcome.h"

namespace temporal::api::workflowservice::v1 {
class CountWorkflowExecutionsRequest;
class CountWorkflowExecutionsResponse;
class DescribeNamespaceRequest;
class DescribeNamespaceResponse;
class DescribeWorkflowExecutionRequest;
class DescribeWorkflowExecutionResponse;
class GetWorkflowExecutionHistoryRequest;
class GetWorkflowExecutionHistoryResponse;
class GetWorkflowExecutionHistoryReverseRequest;
class GetWorkflowExecutionHistoryReverseResponse;
class ListNamespacesRequest;
class ListNamespacesResponse;
class ListWorkflowExecutionsRequest;
class ListWorkflowExecutionsResponse;
class QueryWorkflowRequest;
class QueryWorkflowResponse;
class RegisterNamespaceRequest;
class RegisterNamespaceResponse;
class RequestCancelWorkflowExecutionRequest;
class RequestCancelWorkflowExecutionResponse;
class SignalWorkflowExecutionRequest;
class SignalWorkflowExecutionResponse;
class StartWorkflowExecutionRequest;
class StartWorkflowExecutionResponse;
class TerminateWorkflowExecutionRequest;
class TerminateWorkflowExecutionResponse;
class UnpauseWorkflowExecutionRequest;
class UnpauseWorkflowExecutionResponse;
class UpdateNamespaceRequest;
class UpdateNamespaceResponse;
}  // namespace temporal::api::workflowservice::v1

namespace skald::cli {

namespace workflowservice = temporal::api::workflowservice::v1;

struct ClientOptions {
  std::string address;  // host:port
  // How long one call may take. A call that waits for something to happen is given as long as the server lets it wait.
  absl::Duration call_timeout = absl::Seconds(10);
  // When the whole command gives up; if it is finite, `call_timeout` is what it was given in all.
  absl::Time deadline = absl::InfiniteFuture();
  // How long a call that finds nobody at the address looks again before it is given up: the server may just be
  // starting.
  absl::Duration connect_patience = absl::Seconds(2);
};

// The public API of one server. Calls block. An outcome other than ok leaves the response unspecified. Not thread-safe.
class Client {
 public:
  explicit Client(ClientOptions options);
  ~Client();

  Outcome call(const workflowservice::CountWorkflowExecutionsRequest& request,
               workflowservice::CountWorkflowExecutionsResponse& response);
  Outcome call(const workflowservice::DescribeNamespaceRequest& request,
               workflowservice::DescribeNamespaceResponse& response);
  Outcome call(const workflowservice::DescribeWorkflowExecutionRequest& request,
               workflowservice::DescribeWorkflowExecutionResponse& response);
  Outcome call(const workflowservice::GetWorkflowExecutionHistoryRequest& request,
               workflowservice::GetWorkflowExecutionHistoryResponse& response);
  Outcome call(const workflowservice::GetWorkflowExecutionHistoryReverseRequest& request,
               workflowservice::GetWorkflowExecutionHistoryReverseResponse& response);
  Outcome call(const workflowservice::ListNamespacesRequest& request,
               workflowservice::ListNamespacesResponse& response);
  Outcome call(const workflowservice::ListWorkflowExecutionsRequest& request,
               workflowservice::ListWorkflowExecutionsResponse& response);
  Outcome call(const workflowservice::QueryWorkflowRequest& request, workflowservice::QueryWorkflowResponse& response);
  Outcome call(const workflowservice::RegisterNamespaceRequest& request,
               workflowservice::RegisterNamespaceResponse& response);
  Outcome call(const workflowservice::RequestCancelWorkflowExecutionRequest& request,
               workflowservice::RequestCancelWorkflowExecutionResponse& response);
  Outcome call(const workflowservice::SignalWorkflowExecutionRequest& request,
               workflowservice::SignalWorkflowExecutionResponse& response);
  Outcome call(const workflowservice::StartWorkflowExecutionRequest& request,
               workflowservice::StartWorkflowExecutionResponse& response);
  Outcome call(const workflowservice::TerminateWorkflowExecutionRequest& request,
               workflowservice::TerminateWorkflowExecutionResponse& response);
  Outcome call(const workflowservice::UnpauseWorkflowExecutionRequest& request,
               workflowservice::UnpauseWorkflowExecutionResponse& response);
  Outcome call(const workflowservice::UpdateNamespaceRequest& request,
               workflowservice::UpdateNamespaceResponse& response);

  // Whether the command's time is up.
  bool out_of_time() const;
  // Whether a server was there for the last call, even if it went away or refused. From then on, calls that wait for
  // something to happen also wait for the server to come back.
  bool reached() const { return reached_; }

 private:
  struct Connection;

  // Waits until there is a connection, as long as the options have patience. Returns whether there is one.
  bool wait_for_server();
  template <typename Method, typename Request, typename Response>
  Outcome invoke(Method method, absl::Duration timeout, const Request& request, Response& response);

  ClientOptions options_;
  bool reached_ = false;
  std::unique_ptr<Connection> connection_;
};

// Who we say we are in requests that are written into histories.
std::string identity();

}  // namespace skald::cli
