#include "samples/demo/shop_client.h"

#include <utility>

#include "temporal/api/workflowservice/v1/service.grpc.pb.h"
#include <absl/strings/str_cat.h>
#include <absl/synchronization/notification.h>
#include <absl/time/clock.h>
#include <grpcpp/grpcpp.h>

#include "engine/base/thread_executor.h"

namespace skald::demo {
namespace {

namespace wire = temporal::api::workflowservice::v1;
using Stub = wire::WorkflowService::Stub;

constexpr char kNamespace[] = "default";
constexpr char kTaskQueue[] = "skald";
constexpr char kIdentity[] = "skald-demo";
constexpr absl::Duration kRetryInterval = absl::Milliseconds(100);
constexpr absl::Duration kPatience = absl::Minutes(2);  // of one request while the server is away
constexpr absl::Duration kSettleInterval = absl::Milliseconds(1);
constexpr auto kCallTimeout = std::chrono::seconds(30);

void set_json(temporal::api::common::v1::Payloads* payloads, const std::string& json) {
  auto* payload = payloads->add_payloads();
  (*payload->mutable_metadata())["encoding"] = "json/plain";
  payload->set_data(json);
}

// The server is away or overloaded: the request may be repeated.
bool is_passing(grpc::StatusCode code) {
  switch (code) {
    case grpc::UNAVAILABLE:
    case grpc::DEADLINE_EXCEEDED:
    case grpc::CANCELLED:
    case grpc::UNKNOWN:
    case grpc::RESOURCE_EXHAUSTED:
      return true;
    default:
      return false;
  }
}

absl::StatusOr<std::string> outcome(const temporal::api::history::v1::History& history) {
  if (history.events_size() == 0) return absl::DataLossError("a closed workflow has no last event");
  const auto& last = history.events(history.events_size() - 1);
  if (last.has_workflow_execution_completed_event_attributes()) {
    const auto& result = last.workflow_execution_completed_event_attributes().result();
    return result.payloads_size() > 0 ? result.payloads(0).data() : "null";
  }
  if (last.has_workflow_execution_failed_event_attributes()) {
    return absl::AbortedError(
        absl::StrCat("it failed: ", last.workflow_execution_failed_event_attributes().failure().message()));
  }
  return absl::AbortedError("it did not end by itself: it was cancelled, terminated, or timed out");
}

}  // namespace

struct ShopClient::Connection : std::enable_shared_from_this<Connection> {
  template <typename Request, typename Response>
  using Method = void (Stub::async::*)(grpc::ClientContext*, const Request*, Response*,
                                       std::function<void(grpc::Status)>);

  template <typename Request, typename Response>
  struct Call {
    Method<Request, Response> method;
    Request request;
    Response response;
    std::unique_ptr<grpc::ClientContext> context;
    absl::Time give_up;
    absl::AnyInvocable<void(const grpc::Status&, Response&)> done;
  };

  base::SystemClock clock;
  base::ThreadExecutor timing{"shop-timing", clock};
  std::unique_ptr<Stub> stub;

  template <typename Request, typename Response, typename Done>
  void call(Method<Request, Response> method, Request request, Done done) {
    auto call = std::make_shared<Call<Request, Response>>();
    call->method = method;
    call->request = std::move(request);
    call->give_up = clock.now() + kPatience;
    call->done = std::move(done);
    send(std::move(call));
  }

  template <typename Request, typename Response>
  void send(std::shared_ptr<Call<Request, Response>> call) {
    call->context = std::make_unique<grpc::ClientContext>();
    call->context->set_deadline(std::chrono::system_clock::now() + kCallTimeout);
    auto& one = *call;
    (stub->async()->*one.method)(
        one.context.get(), &one.request, &one.response,
        [self = shared_from_this(), call = std::move(call)](const grpc::Status& status) mutable {
          if (status.ok() || !is_passing(status.error_code()) || self->clock.now() > call->give_up)
            return call->done(status, call->response);
          auto* timing = &self->timing;
          timing->post_at(self->clock.now() + kRetryInterval,
                          [self = std::move(self), call = std::move(call)]() mutable { self->send(std::move(call)); });
        });
  }

  void await(wire::GetWorkflowExecutionHistoryRequest request, ResultDone done) {
    call(&Stub::async::GetWorkflowExecutionHistory, request,
         [self = shared_from_this(), request, done = std::move(done)](
             const grpc::Status& status, wire::GetWorkflowExecutionHistoryResponse& response) mutable {
           if (!status.ok()) return done(absl::UnavailableError(status.error_message()));
           if (response.history().events_size() > 0 || response.next_page_token().empty())
             return done(outcome(response.history()));
           request.set_next_page_token(response.next_page_token());
           self->await(std::move(request), std::move(done));
         });
  }
};

ShopClient::ShopClient(const std::string& address) : connection_(std::make_shared<Connection>()) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 50);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 50);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 500);
  connection_->stub =
      wire::WorkflowService::NewStub(grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments));
}

// What has been answered may still be on its way out of gRPC's threads, which hold on to the connection.
ShopClient::~ShopClient() {
  connection_->timing.stop();
  while (connection_.use_count() > 1) absl::SleepFor(kSettleInterval);
}

void ShopClient::start(const std::string& type, const std::string& id, const std::string& input, Done done) {
  wire::StartWorkflowExecutionRequest request;
  request.set_namespace_(kNamespace);
  request.set_workflow_id(id);
  request.set_request_id("start-" + id);
  request.set_identity(kIdentity);
  request.mutable_workflow_type()->set_name(type);
  request.mutable_task_queue()->set_name(kTaskQueue);
  set_json(request.mutable_input(), input);
  connection_->call(&Stub::async::StartWorkflowExecution, std::move(request),
                    [done = std::move(done)](const grpc::Status& status, wire::StartWorkflowExecutionResponse&) mutable {
                      const bool started = status.ok() || status.error_code() == grpc::ALREADY_EXISTS;
                      done(started ? absl::OkStatus() : absl::UnavailableError(status.error_message()));
                    });
}

void ShopClient::signal(const std::string& id, const std::string& name, const std::string& input, Done done) {
  wire::SignalWorkflowExecutionRequest request;
  request.set_namespace_(kNamespace);
  request.mutable_workflow_execution()->set_workflow_id(id);
  request.set_signal_name(name);
  request.set_request_id(absl::StrCat(name, "-", id));
  request.set_identity(kIdentity);
  set_json(request.mutable_input(), input);
  connection_->call(
      &Stub::async::SignalWorkflowExecution, std::move(request),
      [done = std::move(done)](const grpc::Status& status, wire::SignalWorkflowExecutionResponse&) mutable {
        if (status.error_code() == grpc::NOT_FOUND) return done(absl::NotFoundError(status.error_message()));
        done(status.ok() ? absl::OkStatus() : absl::UnavailableError(status.error_message()));
      });
}

void ShopClient::await(const std::string& id, ResultDone done) {
  wire::GetWorkflowExecutionHistoryRequest request;
  request.set_namespace_(kNamespace);
  request.mutable_execution()->set_workflow_id(id);
  request.set_wait_new_event(true);
  request.set_history_event_filter_type(temporal::api::enums::v1::HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT);
  connection_->await(std::move(request), std::move(done));
}

absl::StatusOr<bool> ShopClient::knows(const std::string& id) {
  wire::DescribeWorkflowExecutionRequest request;
  request.set_namespace_(kNamespace);
  request.mutable_execution()->set_workflow_id(id);
  absl::Notification answered;
  absl::StatusOr<bool> known = true;
  connection_->call(&Stub::async::DescribeWorkflowExecution, std::move(request),
                    [&](const grpc::Status& status, wire::DescribeWorkflowExecutionResponse&) {
                      if (status.error_code() == grpc::NOT_FOUND)
                        known = false;
                      else if (!status.ok())
                        known = absl::UnavailableError(status.error_message());
                      answered.Notify();
                    });
  answered.WaitForNotification();
  return known;
}

absl::StatusOr<int> ShopClient::signals(const std::string& id) {
  wire::GetWorkflowExecutionHistoryRequest request;
  request.set_namespace_(kNamespace);
  request.mutable_execution()->set_workflow_id(id);
  int count = 0;
  do {
    absl::Notification answered;
    absl::Status problem;
    connection_->call(&Stub::async::GetWorkflowExecutionHistory, request,
                      [&](const grpc::Status& status, wire::GetWorkflowExecutionHistoryResponse& page) {
                        if (!status.ok()) problem = absl::UnavailableError(status.error_message());
                        for (const auto& event : page.history().events())
                          count += event.has_workflow_execution_signaled_event_attributes() ? 1 : 0;
                        request.set_next_page_token(status.ok() ? page.next_page_token() : "");
                        answered.Notify();
                      });
    answered.WaitForNotification();
    if (!problem.ok()) return problem;
  } while (!request.next_page_token().empty());
  return count;
}

absl::StatusOr<std::string> ShopClient::run(const std::string& type, const std::string& id, const std::string& input) {
  absl::Notification ended;
  absl::StatusOr<std::string> result;
  start(type, id, input, [&](const absl::Status& status) {
    if (!status.ok()) {
      result = status;
      return ended.Notify();
    }
    await(id, [&](absl::StatusOr<std::string> outcome) {
      result = std::move(outcome);
      ended.Notify();
    });
  });
  ended.WaitForNotification();
  return result;
}

}  // namespace skald::demo
