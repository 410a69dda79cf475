#include <cstdlib>
#include <memory>

#include "temporal/api/workflowservice/v1/request_response.pb.h"
#include <fmt/format.h>

#include "cli/command_groups.h"
#include "cli/decision_book.h"
#include "cli/decision_text.h"
#include "cli/json_output.h"
#include "cli/payload.h"
#include "cli/table.h"
#include "engine/base/random.h"

namespace skald::cli {
namespace {

using json = nlohmann::ordered_json;

constexpr int kDecisionsAtOnce = 100;
constexpr int kWaitSeconds = 15;  // until a person's word is in the book
constexpr size_t kDecisionColumns = 48;

struct ListOptions {
  std::string task_queue = "skald", about, agent, status;
  bool open = false;
  int limit = 50;
};

struct ShowOptions {
  std::string task_queue = "skald", id;
  bool full = false;
};

struct AnswerOptions {
  std::string task_queue = "skald", id, by, because;
};

std::string field(const json& object, const char* name) {
  return object.is_object() && object.contains(name) && object[name].is_string() ? object[name].get<std::string>() : "";
}

// Collects up to `limit` decisions; `more` tells whether there are others.
Outcome collect(const ListOptions& options, Session& session, json& decisions, bool& more) {
  json question = json::object();
  if (!options.about.empty()) question["about"] = options.about;
  if (!options.agent.empty()) question["agent"] = options.agent;
  const std::string status = options.open ? "open" : options.status;
  if (!status.empty()) question["status"] = status;
  decisions = json::array();
  while (true) {
    question["limit"] = std::min<int>(kDecisionsAtOnce, options.limit - static_cast<int>(decisions.size()));
    json page;
    if (Outcome asked = ask_book(session, options.task_queue, question, page); !asked.ok()) return asked;
    for (json& one : page["decisions"]) decisions.push_back(std::move(one));
    more = page.contains("next") && !page["next"].is_null();
    if (!more || static_cast<int>(decisions.size()) >= options.limit) return {};
    question["after"] = page["next"];
  }
}

Row row_of(const json& decision) {
  const std::string word = last_word(decision);
  const json confidence = decision.value("confidence", json());
  return {field(decision, "decision_id"),
          field(decision, "about"),
          field(decision, "agent"),
          one_line(decision.contains("output") ? output_text(decision["output"]) : "", kDecisionColumns),
          confidence.is_number() ? fmt::format("{:.2f}", confidence.get<double>()) : "",
          field(decision, "source"),
          Cell(word, field(decision, "status") == "open" ? Colour::kYellow : Colour::kNone),
          Cell(field(decision, "created_at"), Colour::kDim)};
}

Outcome list(const ListOptions& options, Session& session) {
  json decisions;
  bool more = false;
  if (Outcome collected = collect(options, session, decisions, more); !collected.ok()) return collected;
  if (session.json) {
    print_json(session.console, {{"decisions", std::move(decisions)}});
    return {};
  }
  std::vector<Row> rows;
  for (const json& decision : decisions) rows.push_back(row_of(decision));
  print_table(session.console, {"ID", "ABOUT", "AGENT", "DECISION", "CONFIDENCE", "SOURCE", "LAST WORD", "WHEN"}, rows);
  if (more) session.console.err << "skald: there are more; --limit, --about, --agent and --open narrow it down\n";
  return {};
}

// What the workflow says of the question that it waits with; null if it says nothing of it.
json waiting_question(Session& session, const json& decision) {
  workflowservice::QueryWorkflowRequest request;
  request.set_namespace_(session.namespace_name);
  request.mutable_execution()->set_workflow_id(field(decision, "workflow_id"));
  request.mutable_query()->set_query_type("status");
  workflowservice::QueryWorkflowResponse response;
  if (!session.client.call(request, response).ok() || response.query_result().payloads_size() == 0) return nullptr;
  const json status = json::parse(payload_text(response.query_result().payloads(0)), nullptr, false);
  if (!status.is_object() || !status.contains("open_decision")) return nullptr;
  const json& open = status["open_decision"];
  return field(open, "decision_id") == field(decision, "decision_id") ? open : json();
}

Outcome show(const ShowOptions& options, Session& session) {
  json decision;
  if (Outcome asked = ask_book(session, options.task_queue, {{"decision_id", options.id}}, decision); !asked.ok())
    return asked;
  const json waiting = field(decision, "status") == "open" ? waiting_question(session, decision) : json();
  if (session.json) {
    if (!waiting.is_null()) decision["open_decision"] = waiting;
    print_json(session.console, decision);
    return {};
  }
  tell_decision(session.console, decision, waiting, options.full);
  return {};
}

// Why nobody can answer this decision; ok if it waits for a person.
Outcome check_open(const json& decision, const std::string& id) {
  const std::string status = field(decision, "status");
  if (status == "open") return {};
  if (status == "confirmed") {
    return failed(
        fmt::format("decision {} is taken: {}; `skald decision show {}` tells why", id, last_word(decision), id));
  }
  return failed(
      fmt::format("nobody is asked about decision {}: {} has decided it alone; `skald decision list --open` shows what "
                  "waits for a person",
                  id, field(decision, "agent")));
}

Outcome send_answer(const AnswerOptions& options, const std::string& verdict, const json& decision, Session& session) {
  workflowservice::SignalWorkflowExecutionRequest request;
  request.set_namespace_(session.namespace_name);
  request.mutable_workflow_execution()->set_workflow_id(field(decision, "workflow_id"));
  request.set_signal_name("decide");
  request.set_identity(identity());
  request.set_request_id(base::make_system_random()->uuid());
  const json answer = {
      {"decision_id", options.id}, {"verdict", verdict}, {"by", options.by}, {"reason", options.because}};
  const auto payload = json_payload(answer.dump(-1, ' ', false, json::error_handler_t::replace));
  if (!payload.ok()) return misused(std::string(payload.status().message()));
  *request.mutable_input()->add_payloads() = *payload;
  workflowservice::SignalWorkflowExecutionResponse response;
  Outcome called = session.client.call(request, response);
  if (called.code == ExitCode::kFailed) {
    return failed(fmt::format("nothing waits for decision {}: its workflow {} does not take the answer ({})",
                              options.id, field(decision, "workflow_id"), called.sentence));
  }
  return called;
}

Outcome decide(const AnswerOptions& options, const std::string& verdict, Session& session) {
  json decision;
  if (Outcome asked = ask_book(session, options.task_queue, {{"decision_id", options.id}}, decision); !asked.ok())
    return asked;
  if (Outcome open = check_open(decision, options.id); !open.ok()) return open;
  const std::string workflow = field(decision, "workflow_id");
  if (Outcome sent = send_answer(options, verdict, decision, session); !sent.ok()) return sent;
  const json question = {{"decision_id", options.id}, {"wait_seconds", kWaitSeconds}};
  if (Outcome asked = ask_book(session, options.task_queue, question, decision); !asked.ok()) return asked;
  const json confirmed = decision.value("confirmed", json());
  if (!confirmed.is_object()) {
    return failed(
        fmt::format("workflow {} has got the answer, but decision {} is not in the book after {}s; `skald workflow "
                    "trace {}` tells what it does",
                    workflow, options.id, kWaitSeconds, workflow));
  }
  // To approve what a rule put in the place of the model's answer changes the decision.
  const std::string said = field(confirmed, "verdict") == "changed" ? "approved" : field(confirmed, "verdict");
  if (field(confirmed, "by") != options.by || said != verdict)
    return failed(fmt::format("decision {} was taken meanwhile: {}", options.id, last_word(decision)));
  if (session.json) {
    print_json(session.console, decision);
    return {};
  }
  session.console.out << printable(fmt::format("Decision {} is {} by {}: {}", options.id, verdict, options.by,
                                               options.because))
                      << '\n';
  return {};
}

void add_queue(CLI::App* command, std::string& task_queue) {
  command
      ->add_option("--task-queue", task_queue,
                   "The queue of a worker that has the book: decision_book and the plugin llm")
      ->type_name("NAME")
      ->capture_default_str();
}

void add_id(CLI::App* command, std::string& id) {
  command->add_option("ID,--id", id, "The decision's id")->type_name("")->required()->check(not_empty());
}

void add_answer_command(CLI::App* group, const CommandAdder& adder, const std::string& name,
                        const std::string& verdict) {
  auto options = std::make_shared<AnswerOptions>();
  if (const char* user = std::getenv("USER")) options->by = user;
  CLI::App* command = group->add_subcommand(
      name, fmt::format("Answer a decision that waits for a person: it is {}. Waits until the answer is in the book",
                        verdict));
  add_id(command, options->id);
  auto* by = command->add_option("--by", options->by, "Who you are")->type_name("NAME")->check(not_empty());
  if (options->by.empty())
    by->required();
  else
    by->capture_default_str();
  command->add_option("--because", options->because, "Why, for the book")
      ->type_name("TEXT")
      ->required()
      ->check(not_empty());
  add_queue(command, options->task_queue);
  adder.complete(command, Scope::kNamespace,
                 fmt::format("  skald decision {} d-6f1c --by ida --because 'a customer for ten years'", name),
                 [options, verdict](Session& session) { return decide(*options, verdict, session); });
}

}  // namespace

void add_decision_commands(CLI::App* group, const CommandAdder& adder) {
  auto listing = std::make_shared<ListOptions>();
  CLI::App* list_command = group->add_subcommand("list", "List decisions, the latest first");
  list_command->add_option("--about", listing->about, "Only those about this, such as an order's id")
      ->type_name("TEXT");
  list_command->add_option("--agent", listing->agent, "Only this agent's")->type_name("NAME");
  auto* open = list_command->add_flag("--open", listing->open, "Only those that wait for a person");
  list_command->add_option("--status", listing->status, "Only those that are: open, decided, confirmed, failed")
      ->type_name("STATUS")
      ->check(CLI::IsMember({"open", "decided", "confirmed", "failed"}).description(""))
      ->excludes(open);
  list_command->add_option("--limit", listing->limit, "At most so many")
      ->check(CLI::Range(1, 100'000).description(""))
      ->capture_default_str();
  add_queue(list_command, listing->task_queue);
  adder.complete(list_command, Scope::kNamespace,
                 "  skald decision list --open\n  skald decision list --agent risk --about order-17",
                 [listing](Session& session) { return list(*listing, session); });

  auto showing = std::make_shared<ShowOptions>();
  CLI::App* show_command =
      group->add_subcommand("show", "Tell a decision: what was asked and sent, what came back, who had the last word");
  add_id(show_command, showing->id);
  show_command->add_flag("--full", showing->full, "Do not cut long texts");
  add_queue(show_command, showing->task_queue);
  adder.complete(show_command, Scope::kNamespace,
                 "  skald decision show d-6f1c\n  skald decision show d-6f1c -o json | jq .confirmed",
                 [showing](Session& session) { return show(*showing, session); });

  add_answer_command(group, adder, "approve", "approved");
  add_answer_command(group, adder, "reject", "rejected");
}

}  // namespace skald::cli
