#include "engine/worker/grpc_transport.h"

#include <condition_variable>
#include <mutex>
#include <set>
#include <utility>

#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/impl/codegen/proto_utils.h>

#include "engine/base/random.h"
#include "engine/worker/backoff.h"

namespace skald::worker {
namespace {

constexpr absl::Duration kPollTimeout = absl::Seconds(70);
constexpr absl::Duration kCallTimeout = absl::Seconds(10);
// An answer is repeated for so long, with pauses between these.
constexpr absl::Duration kAnswerPatience = absl::Seconds(60);
constexpr absl::Duration kFirstPause = absl::Milliseconds(100);
constexpr absl::Duration kLongestPause = absl::Seconds(2);
// A task's history may be much larger than gRPC's limit for one message.
constexpr int kLargestResponse = 128 << 20;

std::shared_ptr<grpc::Channel> make_channel(const GrpcTransportOptions& options) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kLargestResponse);
  // gRPC's own pauses grow to two minutes: too long for a worker whose server was started again.
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 200);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 2'000);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 5'000);
  // A server that vanished without a word must not be polled until the deadline.
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 30'000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 15'000);
  // The worker's own: two workers of a process share no connection.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  std::shared_ptr<grpc::ChannelCredentials> credentials = grpc::InsecureChannelCredentials();
  if (options.tls) {
    grpc::SslCredentialsOptions tls;
    tls.pem_root_certs = options.root_certificates;
    tls.pem_cert_chain = options.certificate;
    tls.pem_private_key = options.key;
    credentials = grpc::SslCredentials(tls);
  }
  return grpc::CreateCustomChannel(options.address, credentials, arguments);
}

absl::Status to_absl(const grpc::Status& status) {
  return {static_cast<absl::StatusCode>(status.error_code()), status.error_message()};
}

// Whether the same call may succeed a little later.
bool may_pass(const absl::Status& status) {
  if (absl::IsResourceExhausted(status)) return !absl::StrContains(status.message(), "larger than max");
  return absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status);
}

}  // namespace

// One call, with all its attempts.
struct GrpcTransport::Call {
  std::string method;
  Kind kind = Kind::kOnce;
  std::unique_ptr<google::protobuf::MessageLite> request, response;
  absl::AnyInvocable<void(absl::Status)> done;
  std::shared_ptr<grpc::ClientContext> context;  // of the attempt under way
  absl::Time give_up;
  Backoff backoff{kFirstPause, kLongestPause};
};

// A channel must not be destroyed by one of gRPC's own threads. So gRPC's callbacks own nothing that owns it, and touch
// the state last when they take their call off the list of open ones; timers may own the state.
struct GrpcTransport::State : std::enable_shared_from_this<State> {
  using CallPtr = std::shared_ptr<Call>;

  State(const GrpcTransportOptions& options, Timing timing)
      : timing(timing),
        channel(make_channel(options)),
        stub(channel),
        authorization(options.api_key.empty() ? "" : absl::StrCat("Bearer ", options.api_key)) {}

  const Timing timing;
  const std::shared_ptr<grpc::Channel> channel;
  grpc::TemplatedGenericStub<google::protobuf::MessageLite, google::protobuf::MessageLite> stub;
  const std::string authorization;
  std::mutex mutex;
  std::condition_variable ended_one;
  const std::unique_ptr<base::Random> random = base::make_system_random();
  std::multiset<CallPtr> open;
  bool shut_down = false;  // no polls any more
  bool closed = false;     // no calls any more

  void attempt(const CallPtr& call) {
    bool refused = false;
    {
      const std::lock_guard lock(mutex);
      refused = closed || (shut_down && call->kind == Kind::kPoll);
      if (!refused) {
        call->context = std::make_shared<grpc::ClientContext>();
        const absl::Duration timeout = call->kind == Kind::kPoll ? kPollTimeout : kCallTimeout;
        call->context->set_deadline(absl::ToChronoTime(absl::Now() + timeout));
        if (!authorization.empty()) call->context->AddMetadata("authorization", authorization);
        open.insert(call);
      }
    }
    if (refused) return call->done(absl::CancelledError("the worker is shutting down"));
    stub.UnaryCall(call->context.get(), call->method, {}, call->request.get(), call->response.get(),
                   [this, call](const grpc::Status& status) { ended(call, to_absl(status)); });
  }

  void ended(const CallPtr& call, absl::Status status) {
    absl::Time again = absl::InfinitePast();
    std::shared_ptr<grpc::ClientContext> context;
    {
      const std::lock_guard lock(mutex);
      context = std::move(call->context);
      if (!status.ok() && (closed || (shut_down && call->kind == Kind::kPoll))) {
        status = absl::CancelledError("the worker is shutting down");
      } else if (call->kind == Kind::kRepeated && may_pass(status)) {
        again = timing.clock.now() + call->backoff.next(*random);
      }
    }
    context.reset();
    if (again == absl::InfinitePast() || again > call->give_up) {
      call->done(std::move(status));
    } else {
      call->response->Clear();
      timing.executor.post_at(again, [self = shared_from_this(), call] { self->attempt(call); });
    }
    const std::lock_guard lock(mutex);
    open.erase(open.find(call));
    ended_one.notify_all();
  }

  void cancel_open(bool polls_only) {
    std::vector<std::shared_ptr<grpc::ClientContext>> contexts;
    {
      const std::lock_guard lock(mutex);
      for (const CallPtr& call : open) {
        if (call->context != nullptr && (!polls_only || call->kind == Kind::kPoll)) contexts.push_back(call->context);
      }
    }
    for (const auto& context : contexts) context->TryCancel();
  }
};

GrpcTransport::GrpcTransport(const GrpcTransportOptions& options, Timing timing)
    : state_(std::make_shared<State>(options, timing)) {}

GrpcTransport::~GrpcTransport() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->shut_down = state_->closed = true;
  }
  state_->cancel_open(false);
  std::unique_lock lock(state_->mutex);
  state_->ended_one.wait(lock, [this] { return state_->open.empty(); });
}

bool GrpcTransport::connected(absl::Duration patience) {
  if (state_->channel->GetState(true) == GRPC_CHANNEL_READY) return true;
  return patience > absl::ZeroDuration() &&
         state_->channel->WaitForConnected(absl::ToChronoTime(absl::Now() + patience));
}

template <typename Request, typename Response>
void GrpcTransport::call(const char* method, Kind kind, Request request, Done<Response> done) {
  auto call = std::make_shared<Call>();
  call->method = absl::StrCat("/temporal.api.workflowservice.v1.WorkflowService/", method);
  call->kind = kind;
  call->request = std::make_unique<Request>(std::move(request));
  auto response = std::make_unique<Response>();
  call->done = [response = response.get(), done = std::move(done)](absl::Status status) mutable {
    if (!status.ok()) return done(std::move(status));
    done(std::move(*response));
  };
  call->response = std::move(response);
  call->give_up = state_->timing.clock.now() + kAnswerPatience;
  state_->attempt(call);
}

void GrpcTransport::poll_workflow_task(wire::PollWorkflowTaskQueueRequest request,
                                       Done<wire::PollWorkflowTaskQueueResponse> done) {
  call("PollWorkflowTaskQueue", Kind::kPoll, std::move(request), std::move(done));
}
void GrpcTransport::complete_workflow_task(wire::RespondWorkflowTaskCompletedRequest request,
                                           Done<wire::RespondWorkflowTaskCompletedResponse> done) {
  call("RespondWorkflowTaskCompleted", Kind::kRepeated, std::move(request), std::move(done));
}
void GrpcTransport::fail_workflow_task(wire::RespondWorkflowTaskFailedRequest request,
                                       Done<wire::RespondWorkflowTaskFailedResponse> done) {
  call("RespondWorkflowTaskFailed", Kind::kRepeated, std::move(request), std::move(done));
}
void GrpcTransport::answer_query(wire::RespondQueryTaskCompletedRequest request,
                                 Done<wire::RespondQueryTaskCompletedResponse> done) {
  call("RespondQueryTaskCompleted", Kind::kRepeated, std::move(request), std::move(done));
}
void GrpcTransport::read_history(wire::GetWorkflowExecutionHistoryRequest request,
                                 Done<wire::GetWorkflowExecutionHistoryResponse> done) {
  call("GetWorkflowExecutionHistory", Kind::kRepeated, std::move(request), std::move(done));
}
void GrpcTransport::poll_activity_task(wire::PollActivityTaskQueueRequest request,
                                       Done<wire::PollActivityTaskQueueResponse> done) {
  call("PollActivityTaskQueue", Kind::kPoll, std::move(request), std::move(done));
}
void GrpcTransport::complete_activity(wire::RespondActivityTaskCompletedRequest request,
                                      Done<wire::RespondActivityTaskCompletedResponse> done) {
  call("RespondActivityTaskCompleted", Kind::kRepeated, std::move(request), std::move(done));
}
void GrpcTransport::fail_activity(wire::RespondActivityTaskFailedRequest request,
                                  Done<wire::RespondActivityTaskFailedResponse> done) {
  call("RespondActivityTaskFailed", Kind::kRepeated, std::move(request), std::move(done));
}
void GrpcTransport::cancel_activity(wire::RespondActivityTaskCanceledRequest request,
                                    Done<wire::RespondActivityTaskCanceledResponse> done) {
  call("RespondActivityTaskCanceled", Kind::kRepeated, std::move(request), std::move(done));
}
void GrpcTransport::heartbeat(wire::RecordActivityTaskHeartbeatRequest request,
                              Done<wire::RecordActivityTaskHeartbeatResponse> done) {
  call("RecordActivityTaskHeartbeat", Kind::kOnce, std::move(request), std::move(done));
}
void GrpcTransport::shutdown_worker(wire::ShutdownWorkerRequest request, Done<wire::ShutdownWorkerResponse> done) {
  call("ShutdownWorker", Kind::kOnce, std::move(request), std::move(done));
}

void GrpcTransport::shutdown() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->shut_down = true;
  }
  state_->cancel_open(true);
}

}  // namespace skald::worker
