#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "tests/unit/cli/fake_service.h"

namespace skald::cli {
namespace {

using testing::HasSubstr;

TEST(Namespace, IsRegisteredWithItsRetention) {
  FakeService service;
  ws::RegisterNamespaceRequest request;
  service.answers.register_namespace = always<ws::RegisterNamespaceRequest, ws::RegisterNamespaceResponse>(request);
  const Ran ran = run_command(
      service, {"namespace", "register", "shop", "--retention", "30d", "--description", "orders", "--data", "team=a"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_EQ(request.namespace_(), "shop");
  EXPECT_EQ(request.workflow_execution_retention_period().seconds(), 30 * 86'400);
  EXPECT_EQ(request.description(), "orders");
  EXPECT_EQ(request.data().at("team"), "a");
}

TEST(Namespace, IsDescribed) {
  FakeService service;
  ws::DescribeNamespaceRequest request;
  service.answers.describe_namespace = always<ws::DescribeNamespaceRequest, ws::DescribeNamespaceResponse>(
      request,
      "namespace_info { name: 'shop' id: 'id-1' state: NAMESPACE_STATE_REGISTERED } config { "
      "workflow_execution_retention_ttl { seconds: 7200 } }");
  const Ran ran = run_command(service, {"namespace", "describe", "shop"});
  EXPECT_EQ(request.namespace_(), "shop");
  EXPECT_THAT(ran.out, testing::AllOf(HasSubstr("id-1"), HasSubstr("registered"), HasSubstr("2h")));
}

TEST(Namespace, UpdateSendsOnlyWhatWasGiven) {
  FakeService service;
  ws::UpdateNamespaceRequest request;
  service.answers.update_namespace = always<ws::UpdateNamespaceRequest, ws::UpdateNamespaceResponse>(request);
  EXPECT_EQ(run_command(service, {"namespace", "update", "shop", "--retention", "7d"}).exit_code, 0);
  EXPECT_EQ(request.config().workflow_execution_retention_ttl().seconds(), 7 * 86'400);
  EXPECT_FALSE(request.has_update_info());
  EXPECT_EQ(run_command(service, {"namespace", "update", "shop"}).exit_code, 2);
}

TEST(Namespace, ListGoesThroughAllPages) {
  FakeService service;
  service.answers.list_namespaces = [](const ws::ListNamespacesRequest& request, ws::ListNamespacesResponse& response) {
    const bool first = request.next_page_token().empty();
    response.add_namespaces()->mutable_namespace_info()->set_name(first ? "default" : "shop");
    if (first) response.set_next_page_token("more");
    return grpc::Status::OK;
  };
  const auto document = nlohmann::json::parse(run_command(service, {"namespace", "list", "-o", "json"}).out);
  ASSERT_EQ(document["namespaces"].size(), 2u);
  EXPECT_EQ(document["namespaces"][1]["namespaceInfo"]["name"], "shop");
  EXPECT_THAT(run_command(service, {"namespace", "list"}).out, testing::AllOf(HasSubstr("default"), HasSubstr("shop")));
}

}  // namespace
}  // namespace skald::cli
