#include <algorithm>

#include "engine/api/dispatch.h"
#include "engine/api/validation.h"
#include "engine/core/core.h"
#include "engine/visibility/filter.h"

namespace skald::api {
namespace {

constexpr int kLargestListPage = 1'000;

absl::Status first_error(std::initializer_list<absl::Status> checks) {
  for (const absl::Status& status : checks) {
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

void add_listing(const Backend& backend, Methods& methods) {
  methods[workflow_method("ListWorkflowExecutions")] = [&backend](RawCall raw) {
    auto request = parse<wire::ListWorkflowExecutionsRequest>(raw);
    if (!request.ok()) return raw.reply(request.status());
    auto call = engine_call(backend, raw, *request);
    if (!call.ok()) return raw.reply(call.status());
    if (auto status = check_page_size("PageSize", request->page_size()); !status.ok()) return raw.reply(status);
    auto filter = visibility::parse_filter(request->query(), call->ns->search_attributes);
    if (!filter.ok()) return raw.reply(filter.status());
    const int page_size = request->page_size() == 0 ? kLargestListPage : std::min(request->page_size(), kLargestListPage);
    store::VisibilityQuery query{call->ns->id, *std::move(filter), false};
    backend.engine.list(*std::move(call), std::move(query), static_cast<size_t>(page_size), request->next_page_token(),
                        serialized<wire::ListWorkflowExecutionsResponse>(raw));
  };
  methods[workflow_method("CountWorkflowExecutions")] = [&backend](RawCall raw) {
    auto request = parse<wire::CountWorkflowExecutionsRequest>(raw);
    if (!request.ok()) return raw.reply(request.status());
    auto call = engine_call(backend, raw, *request);
    if (!call.ok()) return raw.reply(call.status());
    auto query = visibility::parse_count(request->query(), call->ns->search_attributes);
    if (!query.ok()) return raw.reply(query.status());
    query->namespace_id = call->ns->id;
    backend.engine.count(*std::move(call), *std::move(query), serialized<wire::CountWorkflowExecutionsResponse>(raw));
  };
}

}  // namespace

void add_workflow_methods(const Backend& backend, Methods& methods) {
  using shard::Engine;
  const core::Limits& limits = backend.limits;
  add(backend, methods, "StartWorkflowExecution", &Engine::start_workflow,
      [&limits](wire::StartWorkflowExecutionRequest& request, const core::NamespaceSettings& ns) { return check_start(request, ns, limits); });
  add(backend, methods, "SignalWithStartWorkflowExecution", &Engine::signal_with_start,
      [&limits](wire::SignalWithStartWorkflowExecutionRequest& request, const core::NamespaceSettings& ns) {
        return first_error({check_start(core::start_part(request), ns, limits), check_id("SignalName", request.signal_name(), limits),
                            check_payloads("SignalInput", request.signal_input(), limits)});
      });
  add(backend, methods, "SignalWorkflowExecution", &Engine::signal_workflow,
      [&limits](wire::SignalWorkflowExecutionRequest& request, const core::NamespaceSettings&) {
        return first_error({check_execution(request.workflow_execution(), limits), check_id("SignalName", request.signal_name(), limits),
                            check_optional_id("RequestId", request.request_id(), limits), check_payloads("Input", request.input(), limits)});
      });
  add(backend, methods, "RequestCancelWorkflowExecution", &Engine::request_cancel,
      [&limits](wire::RequestCancelWorkflowExecutionRequest& request, const core::NamespaceSettings&) {
        return check_execution(request.workflow_execution(), limits);
      });
  add(backend, methods, "TerminateWorkflowExecution", &Engine::terminate,
      [&limits](wire::TerminateWorkflowExecutionRequest& request, const core::NamespaceSettings&) {
        return first_error({check_execution(request.workflow_execution(), limits), check_payloads("Details", request.details(), limits)});
      });
  add(backend, methods, "DescribeWorkflowExecution", &Engine::describe,
      [&limits](wire::DescribeWorkflowExecutionRequest& request, const core::NamespaceSettings&) { return check_execution(request.execution(), limits); });
  add(backend, methods, "UnpauseWorkflowExecution", &Engine::unpause,
      [&limits](wire::UnpauseWorkflowExecutionRequest& request, const core::NamespaceSettings&) {
        return first_error({check_id("WorkflowId", request.workflow_id(), limits), check_run_id(request.run_id())});
      });
  add(backend, methods, "QueryWorkflow", &Engine::query, [&limits](wire::QueryWorkflowRequest& request, const core::NamespaceSettings&) {
    return first_error({check_execution(request.execution(), limits), check_id("QueryType", request.query().query_type(), limits),
                        check_payloads("QueryArgs", request.query().query_args(), limits)});
  });
  add_listing(backend, methods);
}

}  // namespace skald::api
