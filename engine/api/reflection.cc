#include "engine/api/reflection.h"

#include <set>
#include <vector>

#include "temporal/api/operatorservice/v1/service.pb.h"
#include "temporal/api/workflowservice/v1/service.pb.h"
#include <absl/status/status.h>
#include <absl/strings/str_cat.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>

namespace skald::api {
namespace {

using google::protobuf::DescriptorPool;
using google::protobuf::FileDescriptor;
using Request = reflection::v1::ServerReflectionRequest;
using Response = reflection::v1::ServerReflectionResponse;

constexpr const char* kListedServices[] = {"grpc.health.v1.Health", "temporal.api.operatorservice.v1.OperatorService",
                                           "temporal.api.workflowservice.v1.WorkflowService"};

// The generated pool knows what is linked: naming the services' tables links them.
const DescriptorPool& pool() {
  [[maybe_unused]] static const void* volatile linked[] = {
      &descriptor_table_temporal_2fapi_2fworkflowservice_2fv1_2fservice_2eproto,
      &descriptor_table_temporal_2fapi_2foperatorservice_2fv1_2fservice_2eproto};
  return *DescriptorPool::generated_pool();
}

void add_with_imports(const FileDescriptor& file, std::set<const FileDescriptor*>& seen,
                      reflection::v1::FileDescriptorResponse& response) {
  if (!seen.insert(&file).second) return;
  google::protobuf::FileDescriptorProto proto;
  file.CopyTo(&proto);
  response.add_file_descriptor_proto(proto.SerializeAsString());
  for (int i = 0; i < file.dependency_count(); ++i) add_with_imports(*file.dependency(i), seen, response);
}

void answer_file(const FileDescriptor* file, const std::string& asked, Response& response) {
  if (file == nullptr) {
    response.mutable_error_response()->set_error_code(static_cast<int>(absl::StatusCode::kNotFound));
    response.mutable_error_response()->set_error_message(absl::StrCat("there is no ", asked, " here"));
    return;
  }
  std::set<const FileDescriptor*> seen;
  add_with_imports(*file, seen, *response.mutable_file_descriptor_response());
}

}  // namespace

bool is_reflection(std::string_view method) {
  return method == "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo" ||
         method == "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";
}

Response reflect(const Request& request) {
  Response response;
  response.set_valid_host(request.host());
  *response.mutable_original_request() = request;
  switch (request.message_request_case()) {
    case Request::kListServices:
      for (const char* service : kListedServices)
        response.mutable_list_services_response()->add_service()->set_name(service);
      break;
    case Request::kFileByFilename:
      answer_file(pool().FindFileByName(request.file_by_filename()), request.file_by_filename(), response);
      break;
    case Request::kFileContainingSymbol:
      answer_file(pool().FindFileContainingSymbol(request.file_containing_symbol()), request.file_containing_symbol(),
                  response);
      break;
    case Request::kFileContainingExtension:
    case Request::kAllExtensionNumbersOfType:
      response.mutable_error_response()->set_error_code(static_cast<int>(absl::StatusCode::kNotFound));
      response.mutable_error_response()->set_error_message("the API has no extensions");
      break;
    case Request::MESSAGE_REQUEST_NOT_SET:
      response.mutable_error_response()->set_error_code(static_cast<int>(absl::StatusCode::kInvalidArgument));
      response.mutable_error_response()->set_error_message("the request asks for nothing");
      break;
  }
  return response;
}

}  // namespace skald::api
