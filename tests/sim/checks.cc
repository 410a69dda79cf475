#include "tests/sim/checks.h"

#include <limits>
#include <set>

#include "temporal/api/history/v1/message.pb.h"
#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "engine/store/memory/contents.h"
#include "engine/upkeep/check.h"
#include "lua/workflow_task_handler.h"
#include "skald/state/v1/state.pb.h"
#include "tests/sim/agent_checks.h"
#include "tests/sim/quiet_log.h"
#include "tests/sim/timeliness.h"

namespace skald::sim {
namespace {

using namespace temporal::api::enums::v1;
using temporal::api::history::v1::History;
using temporal::api::history::v1::HistoryEvent;

class Inspection {
 public:
  Inspection(const store::Tables& tables, const Customers& customers, const Clerks& clerks, const Chores& chores,
             const Shop& shop, const lua::Definitions& definitions, Auditor& auditor)
      : tables_(tables),
        customers_(customers),
        clerks_(clerks),
        chores_(chores),
        shop_(shop),
        auditor_(auditor),
        handler_(definitions, log_, {}) {}

  Findings inspect() {
    for (const auto& [key, row] : tables_.runs()) inspect_run(key, row);
    for (const auto& [id, placed] : customers_.placed()) inspect_customer(id, placed);
    inspect_visibility();
    for (std::string& problem : shop_.check_books()) report(std::move(problem));
    return std::move(findings_);
  }

 private:
  void report(std::string problem) { findings_.problems.push_back(std::move(problem)); }

  void inspect_run(const store::RunKey& key, const store::RunRow& row) {
    skald::state::v1::RunState state;
    History history;
    std::string bytes;
    for (const auto& chunk :
         tables_.history(key, 1, std::numeric_limits<int64_t>::max(), std::numeric_limits<size_t>::max()))
      bytes += chunk.bytes;
    if (!state.ParseFromString(row.state) || !history.ParseFromString(bytes))
      return report(key.workflow_id + ": its state or history cannot be read");
    if (row.status == WORKFLOW_EXECUTION_STATUS_RUNNING) return report(key.workflow_id + ": did not close");
    if (row.has_work) report(key.workflow_id + ": is closed but has work");
    inspect_events(key, state, history);
    inspect_timeliness(key.workflow_id, history, auditor_);
    if (!may_end_so(key, state, row.status)) {
      return report(fmt::format("{}: ended as {}: {}", key.workflow_id, WorkflowExecutionStatus_Name(row.status),
                                history.events(history.events_size() - 1).ShortDebugString()));
    }
    replay(key, state, history);
    auto value = nlohmann::json::object();
    if (row.status == WORKFLOW_EXECUTION_STATUS_COMPLETED) {
      const auto& result =
          history.events(history.events_size() - 1).workflow_execution_completed_event_attributes().result();
      value = nlohmann::json::parse(result.payloads(0).data());
      for (std::string& problem : chores_.check(key.workflow_id, value)) report(std::move(problem));
    } else if (row.status == WORKFLOW_EXECUTION_STATUS_FAILED && state.workflow_type() == "branches") {
      value["outcome"] = "rejected";
    }
    if (!value.contains("outcome")) return;
    const std::string outcome = value.at("outcome");
    ++findings_.outcomes[outcome];
    for (std::string& problem : shop_.check_order(key.workflow_id, value)) report(std::move(problem));
    if (!value.contains("decisions")) return;
    count_agents(value);
    for (std::string& problem : check_agents(key.workflow_id, value, history, shop_, clerks_))
      report(std::move(problem));
  }

  bool may_end_so(const store::RunKey& key, const skald::state::v1::RunState& state, int status) {
    if (status == WORKFLOW_EXECUTION_STATUS_COMPLETED) return true;
    if (status == WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW) return state.workflow_type() == "chain";
    if (status != WORKFLOW_EXECUTION_STATUS_FAILED) return false;
    const auto placed = customers_.placed().find(key.workflow_id);
    return state.workflow_type() == "stubborn" || (placed != customers_.placed().end() && placed->second.may_fail);
  }

  void count_agents(const nlohmann::json& result) {
    ++findings_.outcomes["with agents"];
    if (result.contains("after_sales")) ++findings_.outcomes["made good"];
    for (const auto& decision : result.at("decisions")) {
      const bool by_somebody = decision.at("by") != "agent" && decision.at("by") != "rule";
      ++findings_.outcomes[by_somebody ? "decided by people" : "decided by agents"];
    }
  }

  // Events are numbered without gaps, and what was scheduled or started ended once, or not at all.
  void inspect_events(const store::RunKey& key, const skald::state::v1::RunState& state, const History& history) {
    std::map<int64_t, int> ends;
    for (int i = 0; i < history.events_size(); ++i) {
      const HistoryEvent& event = history.events(i);
      if (event.event_id() != i + 1)
        return report(fmt::format("{}: event {} stands at place {}", key.workflow_id, event.event_id(), i + 1));
      if (event.has_activity_task_completed_event_attributes())
        ++ends[event.activity_task_completed_event_attributes().scheduled_event_id()];
      if (event.has_activity_task_failed_event_attributes())
        ++ends[event.activity_task_failed_event_attributes().scheduled_event_id()];
      if (event.has_activity_task_timed_out_event_attributes())
        ++ends[event.activity_task_timed_out_event_attributes().scheduled_event_id()];
      if (event.has_activity_task_canceled_event_attributes())
        ++ends[event.activity_task_canceled_event_attributes().scheduled_event_id()];
      if (event.has_child_workflow_execution_completed_event_attributes()) {
        ++ends[event.child_workflow_execution_completed_event_attributes().initiated_event_id()];
      }
    }
    for (const auto& [id, times] : ends) {
      if (times != 1) report(fmt::format("{}: what event {} began ended {} times", key.workflow_id, id, times));
    }
    if (state.next_event_id() != history.events_size() + 1) {
      report(fmt::format("{}: its state expects event {}, its history has {}", key.workflow_id, state.next_event_id(),
                         history.events_size()));
    }
  }

  // A worker that never saw the run finds its way through the whole history.
  void replay(const store::RunKey& key, const skald::state::v1::RunState& state, const History& history) {
    lua::WorkflowTaskHandler::Task task;
    task.mutable_workflow_execution()->set_workflow_id(key.workflow_id);
    task.mutable_workflow_execution()->set_run_id(key.run_id);
    task.mutable_workflow_type()->set_name(state.workflow_type());
    task.mutable_query()->set_query_type("status");
    *task.mutable_history() = history;
    for (const HistoryEvent& event : history.events()) {
      if (event.event_type() == EVENT_TYPE_WORKFLOW_TASK_STARTED) task.set_previous_started_event_id(event.event_id());
    }
    lua::WorkflowTaskHandler::Answer answer;
    std::unique_ptr<lua::WorkflowTaskHandler::Unfinished> unfinished;
    const auto verdict = handler_.handle(task, kNamespace, 0, answer, unfinished);
    const auto* query = std::get_if<temporal::api::workflowservice::v1::RespondQueryTaskCompletedRequest>(&answer);
    if (verdict != lua::WorkflowTaskHandler::Verdict::kAnswered || query == nullptr ||
        query->completed_type() != QUERY_RESULT_TYPE_ANSWERED) {
      report(fmt::format("{}: its history does not replay: {}", key.workflow_id,
                         query == nullptr ? "no answer" : query->error_message()));
    }
    handler_.forget(key.run_id);
  }

  // The run that was acknowledged is there, and those of its workflow got what was sent to it.
  void inspect_customer(const std::string& id, const Customers::Placed& placed) {
    bool exists = false;
    int signals = 0;
    for (const auto& [key, row] : tables_.runs()) {
      if (key.workflow_id != id) continue;
      exists = exists || key.run_id == placed.run_id;
      skald::state::v1::RunState state;
      if (state.ParseFromString(row.state) && state.first_run_id() != placed.run_id)
        report(fmt::format("{}: run {} was acknowledged, run {} exists", id, placed.run_id, key.run_id));
      signals += signals_of(key);
    }
    if (!exists) return report(fmt::format("{}: run {} was acknowledged and does not exist", id, placed.run_id));
    if (signals < placed.signals_acknowledged ||
        (signals > placed.signals_sent && !placed.may_hear_twice)) {
      report(fmt::format("{}: {} signals sent, {} acknowledged, {} in its history", id, placed.signals_sent,
                         placed.signals_acknowledged, signals));
    }
  }

  int signals_of(const store::RunKey& key) const {
    int signals = 0;
    for (const auto& chunk :
         tables_.history(key, 1, std::numeric_limits<int64_t>::max(), std::numeric_limits<size_t>::max())) {
      History events;
      events.ParseFromString(chunk.bytes);
      for (const HistoryEvent& event : events.events())
        signals += event.has_workflow_execution_signaled_event_attributes() ? 1 : 0;
    }
    return signals;
  }

  void inspect_visibility() {
    std::map<std::string, int> listed;
    for (const auto& space : tables_.namespaces()) {
      std::string token;
      do {
        store::VisibilityQuery query;
        query.namespace_id = space.id;
        const auto page = tables_.list(query, 100, token);
        if (!page.ok()) return report("list: " + page.status().ToString());
        for (const auto& row : page->rows) listed[row.key.run_id] = row.status;
        token = page->next;
      } while (!token.empty());
    }
    for (const auto& [key, row] : tables_.runs()) {
      const auto found = listed.find(key.run_id);
      if (found == listed.end() || found->second != row.status)
        report(key.workflow_id + ": the list does not agree with its state");
    }
    if (listed.size() != tables_.runs().size()) report("the list shows runs that do not exist");
    for (const auto& [key, row] : tables_.current_runs()) {
      if (!tables_.run({key.namespace_id, key.workflow_id, row.run_id}))
        report(key.workflow_id + ": its current run does not exist");
    }
  }

  const store::Tables& tables_;
  const Customers& customers_;
  const Clerks& clerks_;
  const Chores& chores_;
  const Shop& shop_;
  Auditor& auditor_;
  QuietLog log_;
  lua::WorkflowTaskHandler handler_;
  Findings findings_;
};

}  // namespace

bool all_closed(store::MemoryDisk& disk) {
  return disk.with([](const store::Tables& tables) {
    for (const auto& [key, row] : tables.runs()) {
      if (row.status == WORKFLOW_EXECUTION_STATUS_RUNNING) return false;
    }
    return true;
  });
}

std::vector<std::string> check_tables(store::MemoryDisk& disk) {
  const auto contents = store::contents_of(disk, {});
  const auto report = upkeep::check(*contents, {});
  if (!report.ok()) return {"the tables cannot be checked: " + report.status().ToString()};
  std::vector<std::string> problems;
  for (size_t table = 0; table < upkeep::kTables; ++table) {
    const auto& sentences = report->of(static_cast<upkeep::Table>(table)).sentences;
    problems.insert(problems.end(), sentences.begin(), sentences.end());
  }
  return problems;
}

Findings check(store::MemoryDisk& disk, const Customers& customers, const Clerks& clerks, const Chores& chores,
               const Shop& shop, const lua::Definitions& definitions, Auditor& auditor) {
  return disk.with([&](const store::Tables& tables) {
    return Inspection(tables, customers, clerks, chores, shop, definitions, auditor).inspect();
  });
}

}  // namespace skald::sim
