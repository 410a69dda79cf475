// The methods whose answers hold history: it is joined to the rest of the answer as bytes.
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/wire_format_lite.h>

#include "engine/api/dispatch.h"
#include "engine/api/validation.h"
#include "temporal/api/enums/v1/workflow.pb.h"

namespace skald::api {

absl::Status check_poll_deadline(const RawCall& call, absl::Time now);

namespace {

namespace enums = temporal::api::enums::v1;
using google::protobuf::internal::WireFormatLite;

// `response` with the message field `field` set to the message of these bytes.
std::string with_field(const google::protobuf::Message& response, int field, const std::string& bytes) {
  std::string result = response.SerializeAsString();
  google::protobuf::io::StringOutputStream stream(&result);
  google::protobuf::io::CodedOutputStream out(&stream);
  out.WriteTag(WireFormatLite::MakeTag(field, WireFormatLite::WIRETYPE_LENGTH_DELIMITED));
  out.WriteVarint32(static_cast<uint32_t>(bytes.size()));
  out.WriteString(bytes);
  out.Trim();
  return result;
}

template <typename Request, typename Response>
void add_history(const Backend& backend, Methods& methods, const char* name,
                 void (shard::Engine::*method)(shard::Call, shard::HistoryRequest, shard::Done<shard::HistoryPage>)) {
  methods[workflow_method(name)] = [&backend, method](RawCall raw) {
    auto request = parse<Request>(raw);
    if (!request.ok()) return raw.reply(request.status());
    auto call = engine_call(backend, raw, *request);
    if (!call.ok()) return raw.reply(call.status());
    if (auto status = check_execution(request->execution(), backend.limits); !status.ok()) return raw.reply(status);
    if (auto status = check_page_size("MaximumPageSize", request->maximum_page_size()); !status.ok())
      return raw.reply(status);
    shard::HistoryRequest history;
    history.workflow_id = request->execution().workflow_id();
    history.run_id = request->execution().run_id();
    history.page_size = request->maximum_page_size();
    history.next_page_token = request->next_page_token();
    if constexpr (requires { request->wait_new_event(); }) {
      history.wait_new_event = request->wait_new_event();
      history.close_event_only = request->history_event_filter_type() == enums::HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT;
    }
    (backend.engine.*method)(*std::move(call), std::move(history), [reply = std::move(raw.reply)](absl::StatusOr<shard::HistoryPage> page) mutable {
      if (!page.ok()) return reply(page.status());
      Response response;
      response.set_next_page_token(page->next_page_token);
      reply(with_field(response, Response::kHistoryFieldNumber, page->history));
    });
  };
}

}  // namespace

void add_history_methods(const Backend& backend, Methods& methods) {
  add_history<wire::GetWorkflowExecutionHistoryRequest, wire::GetWorkflowExecutionHistoryResponse>(backend, methods, "GetWorkflowExecutionHistory",
                                                                                                   &shard::Engine::read_history);
  add_history<wire::GetWorkflowExecutionHistoryReverseRequest, wire::GetWorkflowExecutionHistoryReverseResponse>(
      backend, methods, "GetWorkflowExecutionHistoryReverse", &shard::Engine::read_history_reverse);
  methods[workflow_method("PollWorkflowTaskQueue")] = [&backend](RawCall raw) {
    auto request = parse<wire::PollWorkflowTaskQueueRequest>(raw);
    if (!request.ok()) return raw.reply(request.status());
    auto call = engine_call(backend, raw, *request);
    if (!call.ok()) return raw.reply(call.status());
    absl::Status status = check_task_queue(request->task_queue().name(), backend.limits);
    if (status.ok()) status = check_poll_deadline(raw, backend.clock.now());
    if (!status.ok()) return raw.reply(status);
    backend.engine.poll_workflow_task(*std::move(call), *std::move(request), [reply = std::move(raw.reply)](absl::StatusOr<shard::WorkflowTask> task) mutable {
      if (!task.ok()) return reply(task.status());
      if (task->head.task_token().empty()) return reply(std::string());
      reply(with_field(task->head, wire::PollWorkflowTaskQueueResponse::kHistoryFieldNumber, task->history));
    });
  };
}

}  // namespace skald::api
