#include "tests/unit/cli/fake_service.h"

#include <sstream>

#include "google/rpc/status.pb.h"
#include "temporal/api/workflowservice/v1/service.grpc.pb.h"
#include <CLI/CLI.hpp>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli/commands.h"

namespace skald::cli {
namespace {

template <typename Request, typename Response>
grpc::Status give(const Answer<Request, Response>& answer, const Request* request, Response* response) {
  if (!answer) return {grpc::StatusCode::UNIMPLEMENTED, "this is not implemented by this server"};
  return answer(*request, *response);
}

class Service : public ws::WorkflowService::Service {
 public:
  explicit Service(const Answers& answers) : answers_(answers) {}

  grpc::Status CountWorkflowExecutions(grpc::ServerContext*, const ws::CountWorkflowExecutionsRequest* request,
                                       ws::CountWorkflowExecutionsResponse* response) override {
    return give(answers_.count, request, response);
  }
  grpc::Status DescribeNamespace(grpc::ServerContext*, const ws::DescribeNamespaceRequest* request,
                                 ws::DescribeNamespaceResponse* response) override {
    return give(answers_.describe_namespace, request, response);
  }
  grpc::Status DescribeWorkflowExecution(grpc::ServerContext*, const ws::DescribeWorkflowExecutionRequest* request,
                                         ws::DescribeWorkflowExecutionResponse* response) override {
    return give(answers_.describe, request, response);
  }
  grpc::Status GetWorkflowExecutionHistory(grpc::ServerContext*, const ws::GetWorkflowExecutionHistoryRequest* request,
                                           ws::GetWorkflowExecutionHistoryResponse* response) override {
    return give(answers_.history, request, response);
  }
  grpc::Status GetWorkflowExecutionHistoryReverse(
      grpc::ServerContext*, const ws::GetWorkflowExecutionHistoryReverseRequest* request,
      ws::GetWorkflowExecutionHistoryReverseResponse* response) override {
    return give(answers_.history_reverse, request, response);
  }
  grpc::Status ListNamespaces(grpc::ServerContext*, const ws::ListNamespacesRequest* request,
                              ws::ListNamespacesResponse* response) override {
    return give(answers_.list_namespaces, request, response);
  }
  grpc::Status ListWorkflowExecutions(grpc::ServerContext*, const ws::ListWorkflowExecutionsRequest* request,
                                      ws::ListWorkflowExecutionsResponse* response) override {
    return give(answers_.list, request, response);
  }
  grpc::Status QueryWorkflow(grpc::ServerContext*, const ws::QueryWorkflowRequest* request,
                             ws::QueryWorkflowResponse* response) override {
    return give(answers_.query, request, response);
  }
  grpc::Status RegisterNamespace(grpc::ServerContext*, const ws::RegisterNamespaceRequest* request,
                                 ws::RegisterNamespaceResponse* response) override {
    return give(answers_.register_namespace, request, response);
  }
  grpc::Status RequestCancelWorkflowExecution(grpc::ServerContext*,
                                              const ws::RequestCancelWorkflowExecutionRequest* request,
                                              ws::RequestCancelWorkflowExecutionResponse* response) override {
    return give(answers_.cancel, request, response);
  }
  grpc::Status SignalWorkflowExecution(grpc::ServerContext*, const ws::SignalWorkflowExecutionRequest* request,
                                       ws::SignalWorkflowExecutionResponse* response) override {
    return give(answers_.signal, request, response);
  }
  grpc::Status StartWorkflowExecution(grpc::ServerContext*, const ws::StartWorkflowExecutionRequest* request,
                                      ws::StartWorkflowExecutionResponse* response) override {
    return give(answers_.start, request, response);
  }
  grpc::Status TerminateWorkflowExecution(grpc::ServerContext*, const ws::TerminateWorkflowExecutionRequest* request,
                                          ws::TerminateWorkflowExecutionResponse* response) override {
    return give(answers_.terminate, request, response);
  }
  grpc::Status UnpauseWorkflowExecution(grpc::ServerContext*, const ws::UnpauseWorkflowExecutionRequest* request,
                                        ws::UnpauseWorkflowExecutionResponse* response) override {
    return give(answers_.unpause, request, response);
  }
  grpc::Status UpdateNamespace(grpc::ServerContext*, const ws::UpdateNamespaceRequest* request,
                               ws::UpdateNamespaceResponse* response) override {
    return give(answers_.update_namespace, request, response);
  }

 private:
  const Answers& answers_;
};

}  // namespace

struct FakeService::Server {
  explicit Server(const Answers& answers) : service(answers) {}
  Service service;
  std::unique_ptr<grpc::Server> grpc;
};

ReservedPort::ReservedPort() : socket_(socket(AF_INET, SOCK_STREAM, 0)) {
  const int on = 1;
  sockaddr_in any{};
  any.sin_family = AF_INET;
  any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (setsockopt(socket_, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0 ||
      bind(socket_, reinterpret_cast<const sockaddr*>(&any), sizeof any) != 0)
    abort();
}

ReservedPort::~ReservedPort() { close(socket_); }

void ReservedPort::turn_one_away() {
  if (listen(socket_, 1) != 0) abort();
  close(accept(socket_, nullptr, nullptr));
  shutdown(socket_, SHUT_RDWR);
}

std::string ReservedPort::address() const {
  sockaddr_in bound{};
  socklen_t size = sizeof bound;
  if (getsockname(socket_, reinterpret_cast<sockaddr*>(&bound), &size) != 0) abort();
  return "127.0.0.1:" + std::to_string(ntohs(bound.sin_port));
}

FakeService::FakeService(const std::string& address) : server_(std::make_unique<Server>(answers)) {
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort(address, grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&server_->service);
  server_->grpc = builder.BuildAndStart();
  address_ = "127.0.0.1:" + std::to_string(port);
}

FakeService::~FakeService() {
  server_->grpc->Shutdown(std::chrono::system_clock::now());
  server_->grpc->Wait();
}

int run_command(const Console& console, std::vector<std::string> arguments, absl::Duration connect_patience) {
  CLI::App app{"test", "skald"};
  app.require_subcommand(1);
  add_version_flag(app);
  int exit_code = 0;
  add_client_commands(app, console, exit_code, {.connect_patience = connect_patience});
  std::vector<const char*> argv{"skald"};
  for (const std::string& argument : arguments) argv.push_back(argument.c_str());
  return parse(app, static_cast<int>(argv.size()), argv.data(), console, exit_code);
}

Ran run_command(std::vector<std::string> arguments, absl::Duration connect_patience) {
  std::ostringstream out, err;
  const int code = run_command(Console{out, err, false}, std::move(arguments), connect_patience);
  return {code, out.str(), err.str()};
}

Ran run_command(const FakeService& service, std::vector<std::string> arguments) {
  arguments.insert(arguments.end(), {"--address", service.address()});
  return run_command(std::move(arguments));
}

grpc::Status error(grpc::StatusCode code, const std::string& text, const google::protobuf::Message& detail) {
  google::rpc::Status status;
  status.set_code(code);
  status.set_message(text);
  status.add_details()->PackFrom(detail);
  return {code, text, status.SerializeAsString()};
}

}  // namespace skald::cli
