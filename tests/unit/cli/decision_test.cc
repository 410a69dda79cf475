#include <deque>

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "tests/unit/cli/fake_service.h"

namespace skald::cli {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

// A server on which the workflow decision_book answers what the test says.
class Decision : public testing::Test {
 protected:
  Decision() {
    service.answers.start = [this](const ws::StartWorkflowExecutionRequest& request,
                                   ws::StartWorkflowExecutionResponse& response) {
      EXPECT_EQ(request.workflow_type().name(), "decision_book");
      EXPECT_TRUE(request.has_workflow_run_timeout()) << "a book that nobody has must not be waited for for ever";
      queue = request.task_queue().name();
      questions.push_back(json::parse(request.input().payloads(0).data()));
      response.set_run_id("run-" + std::to_string(questions.size()));
      return grpc::Status::OK;
    };
    service.answers.history = [this](const auto&, ws::GetWorkflowExecutionHistoryResponse& response) {
      *response.mutable_history()->add_events() = ends.front();
      if (ends.size() > 1) ends.pop_front();
      return grpc::Status::OK;
    };
    service.answers.signal = [this](const ws::SignalWorkflowExecutionRequest& request, auto&) {
      signal = request;
      return grpc::Status::OK;
    };
  }

  void answers(const json& result) {
    temporal::api::history::v1::HistoryEvent event;
    event.set_event_type(temporal::api::enums::v1::EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED);
    auto& payload = *event.mutable_workflow_execution_completed_event_attributes()->mutable_result()->add_payloads();
    (*payload.mutable_metadata())["encoding"] = "json/plain";
    payload.set_data(result.dump());
    ends.push_back(std::move(event));
  }
  void fails(const std::string& failure) {
    ends.push_back(proto<temporal::api::history::v1::HistoryEvent>(
        "event_type: EVENT_TYPE_WORKFLOW_EXECUTION_FAILED workflow_execution_failed_event_attributes { failure { "
        "message: 'activity' cause { " +
        failure + " } } }"));
  }

  static json decision(const std::string& status) {
    return {{"decision_id", "d-1"},
            {"status", status},
            {"agent", "risk"},
            {"about", "17"},
            {"workflow_id", "order-17"},
            {"created_at", "2026-07-01T09:30:00Z"},
            {"prompt", "order_risk"},
            {"version", 1},
            {"hash", "9a0c9a0c9a0c9a0c9a0c"},
            {"model", "small"},
            {"output", {{"verdict", "review"}, {"risk", 0.6}}},
            {"confidence", 0.55},
            {"explanation", "the total is large"},
            {"source", "model"},
            {"sent",
             {{{"role", "system"}, {"content", "one\ntwo\nthree\nfour"}}, {{"role", "user"}, {"content", "Order 17"}}}},
            {"redactions", 2},
            {"refusals", {{{"activity", "payment.refund"}, {"input", {{"amount", 5}}}, {"why", "it is not allowed"}}}},
            {"overruled",
             {{{"activity", "logistics.track"}, {"input", {{"order_id", "9"}}}, {"why", "order_id is bound"}}}},
            {"sources", {{{"title", "Returns"}, {"source", "https://shop/returns"}, {"score", 0.8}}}},
            {"tokens", {{"prompt", 512}, {"completion", 48}}},
            {"cost_micros", 310},
            {"latency_ms", 840},
            {"requests", 1}};
  }
  static json confirmed(const std::string& by, const std::string& verdict) {
    json record = decision("confirmed");
    record["confirmed"] = {
        {"verdict", verdict}, {"by", by}, {"reason", "a customer for ten years"}, {"at", "2026-07-01T10:00:00Z"}};
    return record;
  }
  Ran approve() { return run_command(service, {"decision", "approve", "d-1", "--by", "ida", "--because", "known"}); }

  FakeService service;
  std::deque<temporal::api::history::v1::HistoryEvent> ends;
  std::vector<json> questions;
  ws::SignalWorkflowExecutionRequest signal;
  std::string queue;
};

TEST_F(Decision, ListIsATableForPeople) {
  answers({{"decisions", {decision("open"), confirmed("ida", "approved")}}, {"next", nullptr}});
  const Ran ran = run_command(service, {"decision", "list"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("ID   ABOUT  AGENT  DECISION                  CONFIDENCE  SOURCE  LAST WORD"));
  EXPECT_THAT(
      ran.out,
      HasSubstr(
          "d-1  17     risk   risk 0.6, verdict review  0.55        model   waits for a person  2026-07-01T09:30:00Z"));
  EXPECT_THAT(ran.out, HasSubstr("approved by ida"));
  EXPECT_EQ(queue, "skald");
}

TEST_F(Decision, ListTakesFilters) {
  answers({{"decisions", json::array()}, {"next", nullptr}});
  EXPECT_EQ(
      run_command(service, {"decision", "list", "--about", "17", "--agent", "risk", "--open", "--task-queue", "books"})
          .exit_code,
      0);
  EXPECT_EQ(questions[0], json({{"about", "17"}, {"agent", "risk"}, {"status", "open"}, {"limit", 50}}));
  EXPECT_EQ(queue, "books");
}

TEST_F(Decision, ListGoesOnFromPageToPage) {
  answers({{"decisions", {decision("open")}}, {"next", "page-2"}});
  answers({{"decisions", {decision("decided")}}, {"next", "page-3"}});
  const Ran ran = run_command(service, {"decision", "list", "--limit", "2", "-o", "json"});
  EXPECT_EQ(json::parse(ran.out)["decisions"].size(), 2u) << ran.err;
  EXPECT_EQ(questions[1]["after"], "page-2");
  EXPECT_EQ(questions[1]["limit"], 1);
}

TEST_F(Decision, ShowTellsItLikeAStory) {
  answers(confirmed("ida", "approved"));
  const Ran ran = run_command(service, {"decision", "show", "d-1"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  for (const char* part :
       {"order_risk version 1, content 9a0c9a0c9a0c",
        "What was said to the model, and by it, without 2 personal details", "Order 17", "… (--full shows the rest)",
        "risk 0.6, verdict review", "the total is large", "Returns (https://shop/returns), score 0.8", "Refused",
        "payment.refund {\"amount\":5}: it is not allowed", "Overruled",
        "logistics.track {\"order_id\":\"9\"}: order_id is bound", "840ms, 512 + 48 tokens, cost 0.000310",
        "by ida on 2026-07-01T10:00:00Z", "a customer for ten years"})
    EXPECT_THAT(ran.out, HasSubstr(part));
  EXPECT_THAT(ran.out, Not(HasSubstr("four")));
  EXPECT_THAT(run_command(service, {"decision", "show", "d-1", "--full"}).out, HasSubstr("four"));
}

TEST_F(Decision, ShowTellsWhyTheRuleDecided) {
  json record = decision("decided");
  record.update({{"source", "rule"}, {"reason", "timeout"}});
  answers(record);
  EXPECT_THAT(run_command(service, {"decision", "show", "d-1"}).out,
              HasSubstr("the rule, because of the model: timeout"));
}

TEST_F(Decision, ShowTellsWhoIsAskedByTheWorkflowsWord) {
  answers(decision("open"));
  ws::QueryWorkflowRequest query;
  service.answers.query = always<ws::QueryWorkflowRequest, ws::QueryWorkflowResponse>(
      query,
      R"(query_result { payloads { metadata { key: 'encoding' value: 'json/plain' } data: '{"open_decision":{"decision_id":"d-1","question":"May it be paid?","asked":"risk desk","within":"30m","since":"now","escalated":true}}' } })");
  const Ran ran = run_command(service, {"decision", "show", "d-1"});
  EXPECT_EQ(query.execution().workflow_id(), "order-17");
  EXPECT_THAT(ran.out, HasSubstr("May it be paid?"));
  EXPECT_THAT(ran.out, HasSubstr("risk desk (escalated), for 30m since now"));
  EXPECT_THAT(ran.out, HasSubstr("skald decision approve d-1 --by NAME --because TEXT"));
}

TEST_F(Decision, ThatIsNotThereIsToldAsSuch) {
  fails(
      "message: 'there is no decision d-1 in namespace default' application_failure_info { type: 'DecisionNotFound' }");
  const Ran ran = run_command(service, {"decision", "show", "d-1"});
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_EQ(ran.err,
            "skald: there is no decision d-1 in namespace default; `skald decision list` shows those that there are\n");
}

TEST_F(Decision, BookThatNobodyHasIsToldAsSuch) {
  ends.push_back(proto<temporal::api::history::v1::HistoryEvent>(
      "event_type: EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT workflow_execution_timed_out_event_attributes { }"));
  const Ran ran = run_command(service, {"decision", "list"});
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_THAT(
      ran.err,
      HasSubstr("a server or worker on task queue skald must have the workflow decision_book and the plugin llm"));
}

TEST_F(Decision, ApproveSignalsTheWorkflowAndWaitsForTheBook) {
  answers(decision("open"));
  answers(confirmed("ida", "approved"));
  const Ran ran = approve();
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_EQ(ran.out, "Decision d-1 is approved by ida: known\n");
  EXPECT_EQ(signal.workflow_execution().workflow_id(), "order-17");
  EXPECT_EQ(signal.signal_name(), "decide");
  EXPECT_EQ(json::parse(signal.input().payloads(0).data()),
            json({{"decision_id", "d-1"}, {"verdict", "approved"}, {"by", "ida"}, {"reason", "known"}}));
  EXPECT_EQ(questions[1], json({{"decision_id", "d-1"}, {"wait_seconds", 15}}));
}

TEST_F(Decision, RejectSaysSo) {
  answers(decision("open"));
  answers(confirmed("ida", "rejected"));
  EXPECT_EQ(run_command(service, {"decision", "reject", "d-1", "--by", "ida", "--because", "no"}).exit_code, 0);
  EXPECT_EQ(json::parse(signal.input().payloads(0).data())["verdict"], "rejected");
}

TEST_F(Decision, ThatNobodyAsksAboutCannotBeAnswered) {
  answers(decision("decided"));
  const Ran alone = approve();
  EXPECT_EQ(alone.exit_code, 1);
  EXPECT_THAT(alone.err, HasSubstr("nobody is asked about decision d-1: risk has decided it alone"));
  ends.clear();
  answers(confirmed("bob", "rejected"));
  const Ran taken = approve();
  EXPECT_EQ(taken.exit_code, 1);
  EXPECT_THAT(taken.err, HasSubstr("decision d-1 is taken: rejected by bob"));
  EXPECT_EQ(signal.signal_name(), "");
}

TEST_F(Decision, WhoseWorkflowHasClosedCannotBeAnswered) {
  answers(decision("open"));
  service.answers.signal = [](const auto&, auto&) {
    return grpc::Status(grpc::StatusCode::NOT_FOUND, "workflow execution already completed");
  };
  const Ran ran = approve();
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_THAT(ran.err, HasSubstr("nothing waits for decision d-1: its workflow order-17 does not take the answer (the "
                                 "workflow has already closed"));
}

TEST_F(Decision, ThatSomebodyElseTookMeanwhileIsToldAsSuch) {
  answers(decision("open"));
  answers(confirmed("bob", "rejected"));
  const Ran ran = approve();
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_EQ(ran.err, "skald: decision d-1 was taken meanwhile: rejected by bob\n");
}

TEST_F(Decision, ThatDoesNotComeIntoTheBookIsToldAsSuch) {
  answers(decision("open"));
  const Ran ran = approve();
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_THAT(ran.err,
              HasSubstr("workflow order-17 has got the answer, but decision d-1 is not in the book after 15s"));
}

TEST_F(Decision, AnswerNeedsAReason) {
  const Ran ran = run_command(service, {"decision", "approve", "d-1", "--by", "ida"});
  EXPECT_EQ(ran.exit_code, 2);
  EXPECT_THAT(ran.err, HasSubstr("--because"));
}

TEST_F(Decision, ThatIsNotThereByTheBooksAnswerIsToldAsSuch) {
  answers({{"not_found", "there is no decision d-1 in namespace default"}});
  const Ran ran = run_command(service, {"decision", "show", "d-1"});
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_EQ(ran.err,
            "skald: there is no decision d-1 in namespace default; `skald decision list` shows those that there are\n");
}

}  // namespace
}  // namespace skald::cli
