#include "engine/api/grpc_server.h"

#include <chrono>
#include <utility>
#include <vector>

#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>
#include <google/rpc/status.pb.h>
#include <grpc/support/log.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>
#include <spdlog/spdlog.h>

#include "engine/api/reflection.h"

namespace skald::api {
namespace {

constexpr size_t kLargestRequest = 4 << 20;
constexpr const char* kServicesWithHealth[] = {"temporal.api.operatorservice.v1.OperatorService",
                                               "temporal.api.workflowservice.v1.WorkflowService"};

grpc::Status to_grpc(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  google::rpc::Status details;
  details.set_code(static_cast<int>(status.code()));
  details.set_message(std::string(status.message()));
  status.ForEachPayload([&details](absl::string_view type_url, const absl::Cord& payload) {
    auto* detail = details.add_details();
    detail->set_type_url(std::string(type_url));
    detail->set_value(std::string(payload));
  });
  return {static_cast<grpc::StatusCode>(status.code()), std::string(status.message()),
          details.details_size() > 0 ? details.SerializeAsString() : std::string()};
}

// The services of the API answer for every method that is not in the table; other services are not known at all.
absl::Status not_implemented(const std::string& method) {
  const size_t slash = method.rfind('/');
  if (slash == std::string::npos || !absl::StartsWith(method, "/temporal.api."))
    return absl::UnimplementedError(absl::StrCat("unknown service ", method));
  return absl::UnimplementedError(absl::StrCat(method.substr(slash + 1), " is not implemented by this server"));
}

std::string to_string(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  buffer.Dump(&slices).ok();
  std::string bytes;
  bytes.reserve(buffer.Length());
  for (const grpc::Slice& slice : slices) bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  return bytes;
}

// One call. Lives until gRPC is done with it, which is after its one answer.
class Reactor final : public grpc::ServerGenericBidiReactor {
 public:
  Reactor(const Methods& methods, grpc::GenericCallbackServerContext* context)
      : methods_(methods), context_(context), cancellation_(std::make_shared<base::Cancellation>()) {
    StartRead(&request_);
  }

  void OnReadDone(bool ok) override {
    if (!ok) return Finish(grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "the call holds no request"));
    if (request_.Length() > kLargestRequest) {
      return Finish(grpc::Status(
          grpc::StatusCode::RESOURCE_EXHAUSTED,
          absl::StrCat("grpc: received message larger than max (", request_.Length(), " vs. ", kLargestRequest, ")")));
    }
    const auto method = methods_.find(context_->method());
    if (method == methods_.end()) return Finish(to_grpc(not_implemented(context_->method())));
    RawCall call;
    call.request = to_string(request_);
    request_.Clear();
    if (context_->deadline() != std::chrono::system_clock::time_point::max())
      call.deadline = absl::FromChrono(context_->deadline());
    call.cancellation = cancellation_;
    call.reply = [this](absl::StatusOr<std::string> response) { answer(std::move(response)); };
    method->second(std::move(call));
  }

  void OnCancel() override { cancellation_->cancel(); }
  void OnDone() override { delete this; }

 private:
  void answer(absl::StatusOr<std::string> response) {
    if (!response.ok()) return Finish(to_grpc(response.status()));
    grpc::Slice slice(*response);
    response_ = grpc::ByteBuffer(&slice, 1);
    StartWriteAndFinish(&response_, grpc::WriteOptions(), grpc::Status::OK);
  }

  const Methods& methods_;
  grpc::GenericCallbackServerContext* context_;
  std::shared_ptr<base::Cancellation> cancellation_;
  grpc::ByteBuffer request_;
  grpc::ByteBuffer response_;
};

// A stream of reflection's questions, answered one by one.
class ReflectionReactor final : public grpc::ServerGenericBidiReactor {
 public:
  ReflectionReactor() { StartRead(&request_); }

  void OnReadDone(bool ok) override {
    if (!ok) return Finish(grpc::Status::OK);  // The caller has asked all.
    reflection::v1::ServerReflectionRequest request;
    if (request_.Length() > kLargestRequest || !request.ParseFromString(to_string(request_))) {
      return Finish(
          grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "the request is no valid ServerReflectionRequest message"));
    }
    grpc::Slice slice(reflect(request).SerializeAsString());
    response_ = grpc::ByteBuffer(&slice, 1);
    StartWrite(&response_);
  }

  void OnWriteDone(bool ok) override {
    if (!ok) return Finish(grpc::Status(grpc::StatusCode::CANCELLED, "the caller is gone"));
    StartRead(&request_);
  }

  void OnDone() override { delete this; }

 private:
  grpc::ByteBuffer request_;
  grpc::ByteBuffer response_;
};

}  // namespace

class GrpcServer::Service final : public grpc::CallbackGenericService {
 public:
  explicit Service(Methods methods) : methods_(std::move(methods)) {}
  grpc::ServerGenericBidiReactor* CreateReactor(grpc::GenericCallbackServerContext* context) override {
    if (is_reflection(context->method())) return new ReflectionReactor;
    return new Reactor(methods_, context);
  }

 private:
  const Methods methods_;
};

struct GrpcServer::Running {
  std::unique_ptr<grpc::Server> server;
};

GrpcServer::GrpcServer(Methods methods) : service_(std::make_unique<Service>(std::move(methods))) {}
GrpcServer::~GrpcServer() { stop(absl::ZeroDuration()); }

absl::StatusOr<int> GrpcServer::start(const std::string& address) {
  grpc::EnableDefaultHealthCheckService(true);
  // gRPC writes its mishaps to standard error, beside the sentence that tells them: they are for those who look for a
  // defect.
  gpr_set_log_function([](gpr_log_func_args* line) { spdlog::debug("gRPC: {}", line->message); });
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort(address, grpc::InsecureServerCredentials(), &port);
  builder.RegisterCallbackGenericService(service_.get());
  // Requests over the limit are answered by Reactor; what is far over it is not even taken into memory.
  builder.SetMaxReceiveMessageSize(16 * kLargestRequest);
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 5'000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  auto running = std::make_unique<Running>();
  running->server = builder.BuildAndStart();
  if (running->server == nullptr || port == 0) {
    return absl::FailedPreconditionError(absl::StrCat(
        "cannot listen on ", address,
        ": the address is in use or not this machine's; stop what uses it, or choose another with --grpc"));
  }
  running_ = std::move(running);
  set_serving(true);
  return port;
}

void GrpcServer::set_serving(bool serving) {
  if (running_ == nullptr) return;
  grpc::HealthCheckServiceInterface& health = *running_->server->GetHealthCheckService();
  for (const char* service : kServicesWithHealth) health.SetServingStatus(service, serving);
}

void GrpcServer::drain() {
  if (running_ != nullptr) running_->server->GetHealthCheckService()->Shutdown();
}

void GrpcServer::stop(absl::Duration grace) {
  if (running_ == nullptr) return;
  running_->server->Shutdown(absl::ToChronoTime(absl::Now() + grace));
  running_.reset();
}

}  // namespace skald::api
