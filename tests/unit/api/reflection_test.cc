#include "engine/api/reflection.h"

#include <gmock/gmock.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/descriptor_database.h>

namespace skald::api {
namespace {

using reflection::v1::ServerReflectionRequest;
using testing::HasSubstr;

// What a tool does with the answer: builds the files in the order in which all imports are known.
TEST(Reflect, AnswersASymbolWithItsFileAndAllItsImports) {
  ServerReflectionRequest request;
  request.set_file_containing_symbol("temporal.api.workflowservice.v1.WorkflowService");
  const auto response = reflect(request);
  const auto& files = response.file_descriptor_response().file_descriptor_proto();
  google::protobuf::SimpleDescriptorDatabase database;
  for (const std::string& file : files) {
    google::protobuf::FileDescriptorProto proto;
    ASSERT_TRUE(proto.ParseFromString(file));
    ASSERT_TRUE(database.Add(proto));
  }
  google::protobuf::DescriptorPool pool(&database);
  const auto* service = pool.FindServiceByName("temporal.api.workflowservice.v1.WorkflowService");
  ASSERT_NE(service, nullptr);
  const auto* start = service->FindMethodByName("StartWorkflowExecution");
  ASSERT_NE(start, nullptr);
  EXPECT_NE(start->input_type()->FindFieldByName("workflow_id"), nullptr);
}

TEST(Reflect, FindsAFileByItsName) {
  ServerReflectionRequest request;
  request.set_file_by_filename("temporal/api/common/v1/message.proto");
  EXPECT_GT(reflect(request).file_descriptor_response().file_descriptor_proto_size(), 0);
}

TEST(Reflect, ListsTheServices) {
  ServerReflectionRequest request;
  request.set_list_services("");
  EXPECT_EQ(reflect(request).list_services_response().service_size(), 3);
}

TEST(Reflect, SaysWhatThereIsNot) {
  ServerReflectionRequest request;
  request.set_file_containing_symbol("shop.Orders");
  EXPECT_EQ(reflect(request).error_response().error_code(), 5);
  EXPECT_THAT(reflect(request).error_response().error_message(), HasSubstr("shop.Orders"));
  EXPECT_EQ(reflect(ServerReflectionRequest()).error_response().error_code(), 3);
}

}  // namespace
}  // namespace skald::api
