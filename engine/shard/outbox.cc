// Messages between runs: durable with their sender's transition, delivered at least once, applied at most once by their id, and forgotten
// when the sender has recorded the answer (or, where none is due, when the receiver's transition is durable).

#include <utility>

#include "engine/shard/routing.h"

namespace skald::shard {
namespace {

using core::state::OutboxMessage;

constexpr absl::Duration kRedeliveryInterval = absl::Seconds(1);

bool wants_answer(const OutboxMessage& message) {
  return message.has_start_child() || message.has_signal() || (message.has_cancel() && message.cancel().initiated_event_id() != 0);
}

bool is_transient(const absl::Status& status) { return absl::IsUnavailable(status) || absl::IsResourceExhausted(status); }

// A message that is said again may have been answered meanwhile. Its child may have gone on as another run, or have
// ended: nothing there tells then that this start was its own, and it would be started twice.
bool awaits_start(const core::state::RunState& parent, const OutboxMessage& message) {
  const auto child = parent.children().find(message.start_child().initiated_event_id());
  return child != parent.children().end() && child->second.run_id().empty();
}

core::StartRequest child_start(const OutboxMessage& message) {
  const auto& attributes = message.start_child().attributes();
  core::StartRequest start;
  wire::StartWorkflowExecutionRequest& request = start.request;
  request.set_namespace_(message.target_namespace());
  request.set_workflow_id(attributes.workflow_id());
  *request.mutable_workflow_type() = attributes.workflow_type();
  *request.mutable_task_queue() = attributes.task_queue();
  if (attributes.has_input()) *request.mutable_input() = attributes.input();
  *request.mutable_workflow_execution_timeout() = attributes.workflow_execution_timeout();
  *request.mutable_workflow_run_timeout() = attributes.workflow_run_timeout();
  *request.mutable_workflow_task_timeout() = attributes.workflow_task_timeout();
  request.set_request_id(message.id());
  request.set_workflow_id_reuse_policy(attributes.workflow_id_reuse_policy());
  if (attributes.has_retry_policy()) *request.mutable_retry_policy() = attributes.retry_policy();
  request.set_cron_schedule(attributes.cron_schedule());
  if (attributes.has_memo()) *request.mutable_memo() = attributes.memo();
  if (attributes.has_search_attributes()) *request.mutable_search_attributes() = attributes.search_attributes();
  if (attributes.has_header()) *request.mutable_header() = attributes.header();
  if (attributes.has_priority()) *request.mutable_priority() = attributes.priority();
  if (message.start_child().has_user_metadata()) *request.mutable_user_metadata() = message.start_child().user_metadata();

  core::state::ParentInfo parent;
  parent.set_namespace_id(message.source_namespace_id());
  parent.set_namespace_(message.source_namespace());
  parent.set_workflow_id(message.source().workflow_id());
  parent.set_run_id(message.source().run_id());
  parent.set_initiated_event_id(message.start_child().initiated_event_id());
  parent.set_close_policy(attributes.parent_close_policy());
  start.parent = std::move(parent);
  if (message.start_child().has_root()) start.root = message.start_child().root();
  return start;
}

}  // namespace

void EngineImpl::deliver(const OutboxMessage& message) {
  if (message.has_start_child()) return deliver_start(message);
  const store::WorkflowKey key{message.target_namespace_id(), message.target().workflow_id()};
  // A parent's close policy means the chain that it started, whichever run of it goes on now.
  const bool whole_chain = message.has_terminate() || (message.has_cancel() && message.cancel().initiated_event_id() == 0);
  std::string run_id = whole_chain ? "" : message.target().run_id();
  Owner& owner = owner_of(key);
  owner.submit(
      key, std::move(run_id),
      [this, &owner, message, whole_chain](WorkflowEntry& entry, CachedRun* run) {
        const bool other_chain =
            run != nullptr && whole_chain && !message.target().run_id().empty() && run->state.first_run_id() != message.target().run_id();
        if (run == nullptr || other_chain) {
          return message_answered(message, core::workflow_not_found(message.target().workflow_id()), "");
        }
        owner.apply(entry, *run, core::ReceiveMessage{message},
                    [this, message](const absl::Status& status, core::Output&) { message_answered(message, status, ""); });
      },
      [this, message](const absl::Status&) { deliver_again(message); });
}

void EngineImpl::deliver_start(const OutboxMessage& message) {
  const store::WorkflowKey key{message.target_namespace_id(), message.start_child().attributes().workflow_id()};
  const Settings ns = options_.namespaces.by_id(message.target_namespace_id());
  if (!ns) return message_answered(message, absl::NotFoundError("Namespace " + message.target_namespace() + " is not found."), "");
  const store::WorkflowKey source{message.source_namespace_id(), message.source().workflow_id()};
  Owner& sender = owner_of(source);
  sender.submit(
      source, message.source().run_id(),
      [this, &sender, message, key, ns](WorkflowEntry&, CachedRun* run) {
        if (run == nullptr || !awaits_start(run->state, message)) return sender.commits().message_done(message.id());
        start_child(message, key, ns);
      },
      [this, message](const absl::Status&) { deliver_again(message); });
}

void EngineImpl::start_child(const OutboxMessage& message, const store::WorkflowKey& key, const Settings& ns) {
  Owner& owner = owner_of(key);
  owner.submit(
      key, "",
      [this, &owner, message, ns](WorkflowEntry& entry, CachedRun*) {
        owner.create(entry, child_start(message), *ns,
                     [this, message](core::StartResult& result, CachedRun*) { message_answered(message, result.status, result.run_id); });
      },
      [this, message](const absl::Status&) { deliver_again(message); });
}

void EngineImpl::message_answered(const OutboxMessage& message, absl::Status status, std::string run_id) {
  if (is_transient(status)) return deliver_again(message);
  const store::WorkflowKey key{message.source_namespace_id(), message.source().workflow_id()};
  Owner& owner = owner_of(key);
  if (!wants_answer(message)) {
    owner.executor().post([&owner, id = message.id()] { owner.commits().message_done(id); });
    return;
  }
  owner.submit(
      key, message.source().run_id(),
      [this, &owner, message, status = std::move(status), run_id = std::move(run_id)](WorkflowEntry& entry, CachedRun* run) mutable {
        // In the batch of the answer, or alone if it changed nothing.
        if (run == nullptr) return owner.commits().message_done(message.id());
        owner.apply(entry, *run, core::MessageAnswered{message, std::move(status), std::move(run_id)},
                    [this, message](const absl::Status& applied, core::Output&) {
                      if (is_transient(applied)) deliver_again(message);
                    });
        owner.commits().message_done(entry, message.id());
      },
      [this, message](const absl::Status&) { deliver_again(message); });
}

void EngineImpl::deliver_again(const OutboxMessage& message) {
  Owner& owner = owner_of({message.source_namespace_id(), message.source().workflow_id()});
  owner.executor().post_at(options_.clock.now() + kRedeliveryInterval, [this, message] { deliver(message); });
}

}  // namespace skald::shard
