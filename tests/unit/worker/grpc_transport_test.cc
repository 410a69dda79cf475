#include "engine/worker/grpc_transport.h"

#include <atomic>
#include <future>

#include <absl/strings/str_cat.h>
#include <gtest/gtest.h>

#include "engine/api/grpc_server.h"
#include "engine/base/thread_executor.h"

namespace skald::worker {
namespace {

constexpr char kService[] = "/temporal.api.workflowservice.v1.WorkflowService/";

// A real server on this machine that answers one method as the test likes.
class GrpcTransportTest : public testing::Test {
 protected:
  void serve(const std::string& method, std::function<void(skald::api::RawCall)> handler) {
    skald::api::Methods methods;
    methods[kService + method] = std::move(handler);
    server_ = std::make_unique<skald::api::GrpcServer>(std::move(methods));
    const auto port = server_->start("127.0.0.1:0");
    ASSERT_TRUE(port.ok()) << port.status();
    transport_ = std::make_unique<GrpcTransport>(
        GrpcTransportOptions{.address = absl::StrCat("127.0.0.1:", *port), .tls = false}, Timing{clock_, timing_});
  }

  absl::Status complete() {
    std::promise<absl::Status> answered;
    wire::RespondWorkflowTaskCompletedRequest request;
    request.set_task_token("token");
    transport_->complete_workflow_task(std::move(request),
                                       [&answered](const auto& reply) { answered.set_value(reply.status()); });
    return answered.get_future().get();
  }

  base::SystemClock clock_;
  base::ThreadExecutor timing_{"timing", clock_};
  std::unique_ptr<skald::api::GrpcServer> server_;
  std::unique_ptr<GrpcTransport> transport_;
};

TEST_F(GrpcTransportTest, CarriesRequestsAndAnswers) {
  serve("PollActivityTaskQueue", [](skald::api::RawCall call) {
    wire::PollActivityTaskQueueRequest request;
    request.ParseFromString(call.request);
    wire::PollActivityTaskQueueResponse response;
    response.set_task_token(request.task_queue().name());
    call.reply(response.SerializeAsString());
  });
  std::promise<std::string> token;
  wire::PollActivityTaskQueueRequest request;
  request.mutable_task_queue()->set_name("orders");
  transport_->poll_activity_task(std::move(request),
                                 [&token](const auto& answer) { token.set_value(answer->task_token()); });
  EXPECT_EQ(token.get_future().get(), "orders");
  EXPECT_TRUE(transport_->connected());
}

TEST_F(GrpcTransportTest, RepeatsAnAnswerUntilTheServerCanTakeIt) {
  std::atomic<int> calls = 0;
  serve("RespondWorkflowTaskCompleted", [&calls](skald::api::RawCall call) {
    switch (++calls) {
      case 1:
        return call.reply(absl::UnavailableError("away"));
      case 2:
        return call.reply(absl::ResourceExhaustedError("busy"));
      default:
        return call.reply("");
    }
  });
  EXPECT_TRUE(complete().ok());
  EXPECT_EQ(calls, 3);
}

TEST_F(GrpcTransportTest, DoesNotRepeatWhatWillNeverBeTaken) {
  for (const auto code : {absl::StatusCode::kNotFound, absl::StatusCode::kInvalidArgument}) {
    std::atomic<int> calls = 0;
    serve("RespondWorkflowTaskCompleted", [&calls, code](skald::api::RawCall call) {
      ++calls;
      call.reply(absl::Status(code, "no"));
    });
    EXPECT_EQ(complete().code(), code);
    EXPECT_EQ(calls, 1);
  }
  std::atomic<int> calls = 0;
  serve("RespondWorkflowTaskCompleted", [&calls](skald::api::RawCall call) {
    ++calls;
    call.reply(absl::ResourceExhaustedError("grpc: received message larger than max (5 vs. 4)"));
  });
  EXPECT_EQ(complete().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(calls, 1);
}

TEST_F(GrpcTransportTest, ShutdownEndsOpenPollsAndLetsAnswersPass) {
  std::promise<void> parked;
  serve("PollWorkflowTaskQueue", [&parked](skald::api::RawCall call) {
    auto reply = std::make_shared<decltype(call.reply)>(std::move(call.reply));
    call.cancellation->on_cancel([reply] { (*reply)(absl::CancelledError("the caller is gone")); });
    parked.set_value();
  });
  std::promise<absl::Status> ended;
  transport_->poll_workflow_task({}, [&ended](const auto& answer) { ended.set_value(answer.status()); });
  parked.get_future().wait();
  transport_->shutdown();
  EXPECT_TRUE(absl::IsCancelled(ended.get_future().get()));

  std::promise<absl::Status> refused;
  transport_->poll_workflow_task({}, [&refused](const auto& answer) { refused.set_value(answer.status()); });
  EXPECT_TRUE(absl::IsCancelled(refused.get_future().get()));
  EXPECT_EQ(complete().code(), absl::StatusCode::kUnimplemented) << "answers still reach the server";
}

TEST_F(GrpcTransportTest, APollOfAServerThatIsAwayFailsAtOnce) {
  GrpcTransport nowhere({.address = "127.0.0.1:1", .tls = false}, Timing{clock_, timing_});
  std::promise<absl::Status> polled;
  nowhere.poll_workflow_task({}, [&polled](const auto& answer) { polled.set_value(answer.status()); });
  EXPECT_TRUE(absl::IsUnavailable(polled.get_future().get())) << "a poll is not repeated by the transport";
  EXPECT_FALSE(nowhere.connected());
}

}  // namespace
}  // namespace skald::worker
