#include "engine/api/grpc_server.h"

#include <future>
#include <memory>
#include <string>

#include <absl/strings/str_cat.h>
#include <gmock/gmock.h>
#include <google/rpc/status.pb.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include "skald/reflection/v1/reflection.pb.h"

namespace skald::api {
namespace {

using testing::HasSubstr;

constexpr char kEcho[] = "/shop.Orders/Echo";
constexpr char kFail[] = "/shop.Orders/Fail";
constexpr char kWait[] = "/shop.Orders/Wait";

std::string text_of(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  buffer.Dump(&slices).ok();
  std::string text;
  for (const auto& slice : slices) text.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  return text;
}

grpc::ByteBuffer buffer_of(const std::string& text) {
  grpc::Slice slice(text);
  return {&slice, 1};
}

// A server with three methods of its own on a free port, and a client of it.
class GrpcServerTest : public testing::Test {
 protected:
  GrpcServerTest() : server_(methods()) {
    const auto port = server_.start("127.0.0.1:0");
    EXPECT_TRUE(port.ok()) << port.status();
    address_ = absl::StrCat("127.0.0.1:", *port);
    stub_ = std::make_unique<grpc::GenericStub>(grpc::CreateChannel(address_, grpc::InsecureChannelCredentials()));
  }

  Methods methods() {
    Methods table;
    table[kEcho] = [](RawCall call) { call.reply("echo " + call.request); };
    table[kFail] = [](RawCall call) {
      absl::Status status = absl::NotFoundError("no such order");
      status.SetPayload("type.googleapis.com/shop.Detail", absl::Cord("detail"));
      call.reply(status);
    };
    table[kWait] = [this](RawCall call) {
      waits_.set_value();
      auto reply = std::make_shared<decltype(call.reply)>(std::move(call.reply));
      call.cancellation->on_cancel([this, reply] {
        (*reply)(absl::CancelledError("the caller is gone"));
        cancelled_.set_value();
      });
    };
    return table;
  }

  grpc::Status call(const std::string& method, const std::string& request, std::string* response = nullptr) {
    grpc::ClientContext context;
    return call(context, method, request, response);
  }

  grpc::Status call(grpc::ClientContext& context, const std::string& method, const std::string& request,
                    std::string* response) {
    grpc::ByteBuffer in = buffer_of(request), out;
    std::promise<grpc::Status> done;
    stub_->UnaryCall(&context, method, grpc::StubOptions(), &in, &out,
                     [&done](grpc::Status status) { done.set_value(std::move(status)); });
    const grpc::Status status = done.get_future().get();
    if (response != nullptr && status.ok()) *response = text_of(out);
    return status;
  }

  std::promise<void> waits_, cancelled_;
  GrpcServer server_;
  std::string address_;
  std::unique_ptr<grpc::GenericStub> stub_;
};

TEST_F(GrpcServerTest, HandsTheBytesToTheMethodAndItsAnswerBack) {
  std::string response;
  ASSERT_TRUE(call(kEcho, "42", &response).ok());
  EXPECT_EQ(response, "echo 42");
}

TEST_F(GrpcServerTest, SendsAnErrorWithItsDetails) {
  const grpc::Status status = call(kFail, "");
  EXPECT_EQ(status.error_code(), grpc::NOT_FOUND);
  EXPECT_EQ(status.error_message(), "no such order");
  google::rpc::Status details;
  ASSERT_TRUE(details.ParseFromString(status.error_details()));
  ASSERT_EQ(details.details_size(), 1);
  EXPECT_EQ(details.details(0).type_url(), "type.googleapis.com/shop.Detail");
}

TEST_F(GrpcServerTest, SaysThatAMethodIsNotImplemented) {
  const grpc::Status api = call("/temporal.api.workflowservice.v1.WorkflowService/CreateSchedule", "");
  EXPECT_EQ(api.error_code(), grpc::UNIMPLEMENTED);
  EXPECT_THAT(api.error_message(), HasSubstr("CreateSchedule is not implemented"));
  EXPECT_EQ(call("/shop.Orders/Unknown", "").error_code(), grpc::UNIMPLEMENTED);
}

TEST_F(GrpcServerTest, RefusesARequestThatIsTooLarge) {
  EXPECT_EQ(call(kEcho, std::string((4 << 20) + 1, 'x')).error_code(), grpc::RESOURCE_EXHAUSTED);
  std::string response;
  EXPECT_TRUE(call(kEcho, "still there", &response).ok());
}

TEST_F(GrpcServerTest, TellsAMethodThatItsCallerIsGone) {
  grpc::ClientContext context;
  auto answer = std::async(std::launch::async, [&] { return call(context, kWait, "", nullptr); });
  waits_.get_future().wait();
  context.TryCancel();
  EXPECT_EQ(answer.get().error_code(), grpc::CANCELLED);
  cancelled_.get_future().wait();
}

TEST_F(GrpcServerTest, RefusesAnAddressThatIsTaken) {
  GrpcServer second{Methods()};
  const auto port = second.start(address_);
  ASSERT_FALSE(port.ok());
  EXPECT_THAT(std::string(port.status().message()), HasSubstr("cannot listen on " + address_));
}

TEST_F(GrpcServerTest, ReflectsThroughAStreamOfQuestions) {
  grpc::ClientContext context;
  grpc::CompletionQueue queue;
  auto stream = stub_->PrepareCall(&context, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", &queue);
  void* tag = nullptr;
  bool ok = false;
  const auto next = [&] {
    EXPECT_TRUE(queue.Next(&tag, &ok));
    return ok;
  };
  stream->StartCall(nullptr);
  ASSERT_TRUE(next());
  for (int question = 0; question < 2; ++question) {
    reflection::v1::ServerReflectionRequest request;
    request.set_list_services("*");
    stream->Write(buffer_of(request.SerializeAsString()), nullptr);
    ASSERT_TRUE(next());
    grpc::ByteBuffer bytes;
    stream->Read(&bytes, nullptr);
    ASSERT_TRUE(next());
    reflection::v1::ServerReflectionResponse response;
    ASSERT_TRUE(response.ParseFromString(text_of(bytes)));
    EXPECT_EQ(response.list_services_response().service(2).name(), "temporal.api.workflowservice.v1.WorkflowService");
  }
  stream->WritesDone(nullptr);
  ASSERT_TRUE(next());
  grpc::Status status;
  stream->Finish(&status, nullptr);
  ASSERT_TRUE(next());
  EXPECT_TRUE(status.ok()) << status.error_message();
}

}  // namespace
}  // namespace skald::api
