#include "cli/decision_book.h"

#include "temporal/api/workflowservice/v1/request_response.pb.h"
#include <fmt/format.h>

#include "cli/close_text.h"
#include "cli/history.h"
#include "cli/payload.h"
#include "cli/time_text.h"
#include "engine/base/random.h"

namespace skald::cli {
namespace {

namespace enums = temporal::api::enums::v1;
using temporal::api::failure::v1::Failure;

constexpr char kBook[] = "decision_book";
// Beyond what the question itself waits for.
constexpr absl::Duration kPatience = absl::Seconds(20);

const Failure& root(const Failure& failure) {
  const Failure* at = &failure;
  while (at->has_cause()) at = &at->cause();
  return *at;
}

Outcome start_book(Session& session, const std::string& task_queue, const nlohmann::ordered_json& question,
                   Target& target) {
  const auto random = base::make_system_random();
  workflowservice::StartWorkflowExecutionRequest request;
  request.set_namespace_(session.namespace_name);
  request.set_workflow_id(fmt::format("{}-{}", kBook, random->uuid()));
  request.mutable_workflow_type()->set_name(kBook);
  request.mutable_task_queue()->set_name(task_queue);
  request.set_identity(identity());
  request.set_request_id(random->uuid());
  const absl::Duration patience = kPatience + absl::Seconds(question.value("wait_seconds", 0));
  *request.mutable_workflow_run_timeout() = to_proto(patience);
  const auto payload = json_payload(question.dump());
  if (!payload.ok()) return failed(std::string(payload.status().message()));
  *request.mutable_input()->add_payloads() = *payload;
  workflowservice::StartWorkflowExecutionResponse response;
  if (Outcome called = session.client.call(request, response); !called.ok()) return called;
  target = {request.workflow_id(), response.run_id()};
  return {};
}

Outcome not_there(const std::string& sentence) {
  return failed(sentence + "; `skald decision list` shows those that there are");
}

Outcome not_answered(const Close& close, const std::string& task_queue) {
  if (close.event.event_type() == enums::EVENT_TYPE_WORKFLOW_EXECUTION_FAILED) {
    const Failure& failure = root(close.event.workflow_execution_failed_event_attributes().failure());
    // A worker may still have the book of an earlier version, which fails then.
    if (failure.application_failure_info().type() == "DecisionNotFound") return not_there(failure.message());
    if (failure.has_application_failure_info()) return failed("the book of decisions answers: " + failure.message());
  }
  return failed(fmt::format(
      "the book of decisions does not answer: a server or worker on task queue {} must have the workflow {} "
      "and the plugin llm ({}: {})",
      task_queue, kBook, ending(close.event).status, ending(close.event).summary));
}

}  // namespace

Outcome ask_book(Session& session, const std::string& task_queue, const nlohmann::ordered_json& question,
                 nlohmann::ordered_json& answer) {
  Target target;
  if (Outcome started = start_book(session, task_queue, question, target); !started.ok()) return started;
  Close close;
  if (Outcome waited = wait_for_close(session, target, close); !waited.ok()) return waited;
  if (close.event.event_type() != enums::EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED)
    return not_answered(close, task_queue);
  const auto& result = close.event.workflow_execution_completed_event_attributes().result();
  answer = result.payloads_size() == 0
               ? nlohmann::ordered_json()
               : nlohmann::ordered_json::parse(payload_text(result.payloads(0)), nullptr, false);
  if (!answer.is_object()) return failed(fmt::format("the workflow {} gave no answer that this command knows", kBook));
  if (const auto found = answer.find("not_found"); found != answer.end() && found->is_string())
    return not_there(found->get<std::string>());
  return {};
}

}  // namespace skald::cli
