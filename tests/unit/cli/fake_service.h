#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "temporal/api/workflowservice/v1/request_response.pb.h"
#include <absl/time/time.h>
#include <google/protobuf/text_format.h>
#include <grpcpp/support/status.h>

#include "cli/console.h"

namespace skald::cli {

namespace ws = temporal::api::workflowservice::v1;

// What the fake server does for one method.
template <typename Request, typename Response>
using Answer = std::function<grpc::Status(const Request&, Response&)>;

// The answers a test gives. A method without an answer is not implemented. Calls come on gRPC's threads, one after the
// other.
struct Answers {
  Answer<ws::CountWorkflowExecutionsRequest, ws::CountWorkflowExecutionsResponse> count;
  Answer<ws::DescribeNamespaceRequest, ws::DescribeNamespaceResponse> describe_namespace;
  Answer<ws::DescribeWorkflowExecutionRequest, ws::DescribeWorkflowExecutionResponse> describe;
  Answer<ws::GetWorkflowExecutionHistoryRequest, ws::GetWorkflowExecutionHistoryResponse> history;
  Answer<ws::GetWorkflowExecutionHistoryReverseRequest, ws::GetWorkflowExecutionHistoryReverseResponse> history_reverse;
  Answer<ws::ListNamespacesRequest, ws::ListNamespacesResponse> list_namespaces;
  Answer<ws::ListWorkflowExecutionsRequest, ws::ListWorkflowExecutionsResponse> list;
  Answer<ws::QueryWorkflowRequest, ws::QueryWorkflowResponse> query;
  Answer<ws::RegisterNamespaceRequest, ws::RegisterNamespaceResponse> register_namespace;
  Answer<ws::RequestCancelWorkflowExecutionRequest, ws::RequestCancelWorkflowExecutionResponse> cancel;
  Answer<ws::SignalWorkflowExecutionRequest, ws::SignalWorkflowExecutionResponse> signal;
  Answer<ws::StartWorkflowExecutionRequest, ws::StartWorkflowExecutionResponse> start;
  Answer<ws::TerminateWorkflowExecutionRequest, ws::TerminateWorkflowExecutionResponse> terminate;
  Answer<ws::UnpauseWorkflowExecutionRequest, ws::UnpauseWorkflowExecutionResponse> unpause;
  Answer<ws::UpdateNamespaceRequest, ws::UpdateNamespaceResponse> update_namespace;
};

// A port of this machine that is ours until destruction: it refuses connections unless a FakeService serves on it.
class ReservedPort {
 public:
  ReservedPort();
  ~ReservedPort();

  std::string address() const;
  // Waits for one connection, and breaks it off at once.
  void turn_one_away();

 private:
  int socket_;
};

// The public API on a port of this machine, served in this process from construction to destruction.
class FakeService {
 public:
  explicit FakeService(const std::string& address = "127.0.0.1:0");
  ~FakeService();

  Answers answers;
  const std::string& address() const { return address_; }

 private:
  struct Server;
  std::unique_ptr<Server> server_;
  std::string address_;
};

// Runs `skald ARGUMENTS` in this process, and returns its exit code.
int run_command(const Console& console, std::vector<std::string> arguments,
                absl::Duration connect_patience = absl::ZeroDuration());

// How one command line ended.
struct Ran {
  int exit_code;
  std::string out;
  std::string err;
};

// Runs `skald ARGUMENTS` in this process. A server that is not there is waited for no longer than `connect_patience`.
Ran run_command(std::vector<std::string> arguments, absl::Duration connect_patience = absl::ZeroDuration());
// The same with --address of the service.
Ran run_command(const FakeService& service, std::vector<std::string> arguments);

// An error of the API, with its detail.
grpc::Status error(grpc::StatusCode code, const std::string& text, const google::protobuf::Message& detail);

// The message that this text form describes. Aborts the test binary if it describes none.
template <typename Message>
Message proto(const std::string& text) {
  Message message;
  if (!google::protobuf::TextFormat::ParseFromString(text, &message)) abort();
  return message;
}

// An answer that is always the same and keeps the request.
template <typename Request, typename Response>
Answer<Request, Response> always(Request& seen, const std::string& text = "") {
  return [&seen, response = proto<Response>(text)](const Request& request, Response& answer) {
    seen = request;
    answer = response;
    return grpc::Status::OK;
  };
}

}  // namespace skald::cli
