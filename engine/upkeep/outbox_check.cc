#include "engine/upkeep/outbox_check.h"

#include <algorithm>
#include <set>
#include <utility>

#include "temporal/api/enums/v1/workflow.pb.h"
#include <absl/strings/str_cat.h>

#include "engine/upkeep/rows.h"

namespace skald::upkeep {
namespace {

using skald::state::v1::OutboxMessage;

constexpr size_t kKeysAtOnce = 100;

class MessageCheck {
 public:
  MessageCheck(const store::StoredMessage& stored, const KnownNamespaces& namespaces, Report& report)
      : row_(stored.row), slot_(stored.slot), namespaces_(namespaces), report_(report) {}

  void inspect(bool source_exists, WaitingChildren& waiting) {
    const store::RunKey& source = row_.source;
    const int slot = store::slot_of(source.namespace_id, source.workflow_id);
    if (slot_ != slot) {
      violation(absl::StrCat("the column slot is ", slot_, ", and its sender's is ", slot, "; set it to ", slot,
                             " while no server runs"));
    }
    if (!source_exists) violation("the run that sent it does not exist; delete the row, nobody waits for its answer");
    OutboxMessage message;
    if (!message.ParseFromString(row_.message)) {
      return violation("it cannot be read, and is never delivered; restore the store from a backup, or delete the row");
    }
    if (message.id() != row_.id) violation(absl::StrCat("it says of itself the id ", message.id(), kDelete));
    if (message.source_namespace_id() != source.namespace_id || message.source().workflow_id() != source.workflow_id ||
        message.source().run_id() != source.run_id) {
      violation(absl::StrCat("it says of itself that workflow ", message.source().workflow_id(), ", run ",
                             message.source().run_id(), " sent it", kDelete));
    }
    if (message.has_schedule_child_task()) waiting.erase(message.target().run_id());
    inspect_target(message);
  }

 private:
  static constexpr char kDelete[] = "; restore the store from a backup, or delete the row";

  void violation(const std::string& what) {
    report_.violation(Table::kOutbox, absl::StrCat(namespaces_.name(row_.source), ": message ", row_.id, ": ", what));
  }

  void inspect_target(const OutboxMessage& message) {
    if (message.content_case() == OutboxMessage::CONTENT_NOT_SET) {
      return violation(absl::StrCat("it says nothing", kDelete));
    }
    const std::string& receiver =
        message.has_start_child() ? message.start_child().attributes().workflow_id() : message.target().workflow_id();
    if (receiver.empty()) violation(absl::StrCat("it is for no workflow", kDelete));
    if (!namespaces_.contains(message.target_namespace_id())) {
      violation(absl::StrCat("it is for the namespace ", message.target_namespace(), " (id ",
                             message.target_namespace_id(), "), which there is not",
                             "; restore the row of namespaces from a backup"));
    }
  }

  const store::OutboxRow& row_;
  const int slot_;
  const KnownNamespaces& namespaces_;
  Report& report_;
};

absl::Status check_waiting(store::Contents& contents, const WaitingChildren& waiting, Report& report) {
  for (const auto& [run_id, child] : waiting) {
    auto parents = contents.runs_of({child.parent});
    if (!parents.ok()) return parents.status();
    skald::state::v1::RunState parent;
    if (!parents->empty() && parent.ParseFromString(parents->front().row.state)) {
      const auto known = parent.children().find(child.initiated_event_id);
      if (known != parent.children().end() && known->second.run_id().empty())
        continue;  // it is yet to hear of the start
    }
    report.violation(Table::kOutbox, absl::StrCat(child.name, ": it waits for word of its parent, workflow ",
                                                  child.parent.workflow_id, ", run ", child.parent.run_id,
                                                  ", which is not under way; it would wait for ever: terminate it"));
  }
  return absl::OkStatus();
}

}  // namespace

void add_waiting(const skald::state::v1::RunState& state, const std::string& name, WaitingChildren& waiting) {
  if (!state.awaiting_first_task() || state.status() != temporal::api::enums::v1::WORKFLOW_EXECUTION_STATUS_RUNNING)
    return;
  const auto& parent = state.parent();
  waiting[state.run_id()] = {
      name, {parent.namespace_id(), parent.workflow_id(), parent.run_id()}, parent.initiated_event_id()};
}

absl::Status check_outbox(store::Contents& contents, const KnownNamespaces& namespaces, WaitingChildren waiting,
                          Report& report) {
  const auto status = each_page<store::StoredMessage>(
      [&](const std::string& after) { return contents.outbox(after); },
      [&](const std::vector<store::StoredMessage>& messages) -> absl::Status {
        report.count(Table::kOutbox, messages.size());
        for (size_t begin = 0; begin < messages.size(); begin += kKeysAtOnce) {
          const size_t end = std::min(begin + kKeysAtOnce, messages.size());
          std::set<store::RunKey> sources;
          for (size_t i = begin; i < end; ++i) sources.insert(messages[i].row.source);
          auto runs = contents.runs_of({sources.begin(), sources.end()});
          if (!runs.ok()) return runs.status();
          std::set<store::RunKey> known;
          for (const store::StoredRun& run : *runs) known.insert(run.row.key);
          for (size_t i = begin; i < end; ++i) {
            MessageCheck(messages[i], namespaces, report).inspect(known.contains(messages[i].row.source), waiting);
          }
        }
        return absl::OkStatus();
      });
  return status.ok() ? check_waiting(contents, waiting, report) : status;
}

void add_awaited(const skald::state::v1::RunState& state, const std::string& name, std::vector<Awaited>& awaited) {
  const auto add = [&](const std::string& id, const std::string& what) {
    awaited.push_back({id, absl::StrCat(name, ": it waits for the answer to the message ", id, " (", what,
                                        "), which is not in the outbox; it would wait for ever: restore the store from "
                                        "a backup, or terminate the run")});
  };
  for (const auto& [id, child] : state.children()) {
    if (child.run_id().empty())
      add(child.create_request_id(), absl::StrCat("start of the child ", child.workflow_id()));
  }
  for (const auto& [id, signal] : state.external_signals()) {
    add(signal.request_id(), absl::StrCat("signal to ", signal.target().workflow_id()));
  }
  for (const auto& [id, cancel] : state.external_cancels()) {
    add(cancel.request_id(), absl::StrCat("cancellation of ", cancel.target().workflow_id()));
  }
}

absl::Status check_awaited(store::Contents& contents, const std::vector<Awaited>& awaited, Report& report) {
  for (size_t begin = 0; begin < awaited.size(); begin += kKeysAtOnce) {
    const size_t end = std::min(begin + kKeysAtOnce, awaited.size());
    std::vector<std::string> ids;
    for (size_t i = begin; i < end; ++i) ids.push_back(awaited[i].message_id);
    auto messages = contents.outbox_of(ids);
    if (!messages.ok()) return messages.status();
    std::set<std::string> known;
    for (const store::StoredMessage& message : *messages) known.insert(message.row.id);
    for (size_t i = begin; i < end; ++i) {
      if (!known.contains(awaited[i].message_id)) report.violation(Table::kOutbox, awaited[i].sentence);
    }
  }
  return absl::OkStatus();
}

}  // namespace skald::upkeep
