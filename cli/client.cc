#include "cli/client.h"

#include <algorithm>

#include "temporal/api/workflowservice/v1/service.grpc.pb.h"
#include <absl/time/clock.h>
#include <fmt/format.h>
#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <unistd.h>

#include "cli/call_error.h"
#include "cli/time_text.h"

namespace skald::cli {
namespace {

using Service = workflowservice::WorkflowService;
using Stub = Service::Stub;

// Servers end a long poll of their own accord well before this.
constexpr absl::Duration kLongPoll = absl::Seconds(60);
// A page of history holds many payloads of up to 2 MiB.
constexpr int kMaxResponseBytes = 256 << 20;

// How long to wait before looking for a server again that was not there; gRPC takes no less.
constexpr int kReconnectMs = 100;
// How long to wait for a server that neither accepts nor refuses a connection.
constexpr int kConnectMs = 500;
// How gRPC's message begins if the call never left this machine.
constexpr char kNotConnected[] = "failed to connect";

std::shared_ptr<grpc::Channel> open_channel(const std::string& address) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMaxResponseBytes);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kReconnectMs);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kConnectMs);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kReconnectMs);
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
}

// Whether a call failed without having been sent.
bool was_not_sent(const grpc::Status& status) {
  return status.error_code() == grpc::StatusCode::UNAVAILABLE && status.error_message().rfind(kNotConnected, 0) == 0;
}

}  // namespace

struct Client::Connection {
  std::shared_ptr<grpc::Channel> channel;
  std::unique_ptr<Stub> stub;
};

Client::Client(ClientOptions options) : options_(std::move(options)), connection_(std::make_unique<Connection>()) {
  connection_->channel = open_channel(options_.address);
  connection_->stub = Service::NewStub(connection_->channel);
}

Client::~Client() = default;

bool Client::out_of_time() const { return absl::Now() >= options_.deadline; }

bool Client::wait_for_server() {
  const absl::Time until = std::min(absl::Now() + options_.connect_patience, options_.deadline);
  return connection_->channel->WaitForConnected(absl::ToChronoTime(until));
}

template <typename Method, typename Request, typename Response>
Outcome Client::invoke(Method method, absl::Duration timeout, const Request& request, Response& response) {
  absl::Time deadline;
  const auto call_once = [&] {
    deadline = std::min(absl::Now() + timeout, options_.deadline);
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(deadline));
    context.set_wait_for_ready(reached_ && timeout >= kLongPoll);
    return (connection_->stub.get()->*method)(&context, request, &response);
  };
  grpc::Status status = call_once();
  if (was_not_sent(status) && wait_for_server()) status = call_once();
  reached_ = !was_not_sent(status);
  const bool connected = connection_->channel->GetState(false) == GRPC_CHANNEL_READY;
  const absl::Duration patience = deadline == options_.deadline ? options_.call_timeout : timeout;
  return explain(status, options_.address, connected, duration_text(patience));
}

Outcome Client::call(const workflowservice::CountWorkflowExecutionsRequest& request,
                     workflowservice::CountWorkflowExecutionsResponse& response) {
  return invoke(&Stub::CountWorkflowExecutions, options_.call_timeout, request, response);
}

Outcome Client::call(const workflowservice::DescribeNamespaceRequest& request,
                     workflowservice::DescribeNamespaceResponse& response) {
  return invoke(&Stub::DescribeNamespace, options_.call_timeout, request, response);
}

Outcome Client::call(const workflowservice::DescribeWorkflowExecutionRequest& request,
                     workflowservice::DescribeWorkflowExecutionResponse& response) {
  return invoke(&Stub::DescribeWorkflowExecution, options_.call_timeout, request, response);
}

Outcome Client::call(const workflowservice::GetWorkflowExecutionHistoryRequest& request,
                     workflowservice::GetWorkflowExecutionHistoryResponse& response) {
  return invoke(&Stub::GetWorkflowExecutionHistory, request.wait_new_event() ? kLongPoll : options_.call_timeout,
                request, response);
}

Outcome Client::call(const workflowservice::GetWorkflowExecutionHistoryReverseRequest& request,
                     workflowservice::GetWorkflowExecutionHistoryReverseResponse& response) {
  return invoke(&Stub::GetWorkflowExecutionHistoryReverse, options_.call_timeout, request, response);
}

Outcome Client::call(const workflowservice::ListNamespacesRequest& request,
                     workflowservice::ListNamespacesResponse& response) {
  return invoke(&Stub::ListNamespaces, options_.call_timeout, request, response);
}

Outcome Client::call(const workflowservice::ListWorkflowExecutionsRequest& request,
                     workflowservice::ListWorkflowExecutionsResponse& response) {
  return invoke(&Stub::ListWorkflowExecutions, options_.call_timeout, request, response);
}

Outcome Client::call(const workflowservice::QueryWorkflowRequest& request,
                     workflowservice::QueryWorkflowResponse& response) {
  return invoke(&Stub::QueryWorkflow, options_.call_timeout, request, response);
}

Outcome Client::call(const workflowservice::RegisterNamespaceRequest& request,
                     workflowservice::RegisterNamespaceResponse& response) {
  return invoke(&Stub::RegisterNamespace, options_.call_timeout, request, response);
}

Outcome Client::call(const workflowservice::RequestCancelWorkflowExecutionRequest& request,
                     workflowservice::RequestCancelWorkflowExecutionResponse& response) {
  return invoke(&Stub::RequestCancelWorkflowExecution, options_.call_timeout, request, response);
}

Outcome Client::call(const workflowservice::SignalWorkflowExecutionRequest& request,
                     workflowservice::SignalWorkflowExecutionResponse& response) {
  return invoke(&Stub::SignalWorkflowExecution, options_.call_timeout, request, response);
}

Outcome Client::call(const workflowservice::StartWorkflowExecutionRequest& request,
                     workflowservice::StartWorkflowExecutionResponse& response) {
  return invoke(&Stub::StartWorkflowExecution, options_.call_timeout, request, response);
}

Outcome Client::call(const workflowservice::TerminateWorkflowExecutionRequest& request,
                     workflowservice::TerminateWorkflowExecutionResponse& response) {
  return invoke(&Stub::TerminateWorkflowExecution, options_.call_timeout, request, response);
}

Outcome Client::call(const workflowservice::UnpauseWorkflowExecutionRequest& request,
                     workflowservice::UnpauseWorkflowExecutionResponse& response) {
  return invoke(&Stub::UnpauseWorkflowExecution, options_.call_timeout, request, response);
}

Outcome Client::call(const workflowservice::UpdateNamespaceRequest& request,
                     workflowservice::UpdateNamespaceResponse& response) {
  return invoke(&Stub::UpdateNamespace, options_.call_timeout, request, response);
}

std::string identity() {
  char host[256] = "";
  if (gethostname(host, sizeof host - 1) != 0) host[0] = '\0';
  return fmt::format("skald-cli:{}@{}", getpid(), host);
}

}  // namespace skald::cli
