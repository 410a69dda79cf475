// Workflows that the owner runs itself, with a worker of the test's own.
#include <functional>
#include <map>
#include <optional>
#include <set>

#include "tests/unit/shard/engine_fixture.h"

namespace skald::shard {
namespace {

// Answers each task by what the test says.
class ScriptedWorker final : public EmbeddedWorker {
 public:
  using Task = temporal::api::workflowservice::v1::PollWorkflowTaskQueueResponse;

  bool serves(std::string_view, std::string_view, std::string_view type) const override { return type == "order"; }
  bool polls(std::string_view, std::string_view) const override { return true; }
  Verdict activate(const Task& task, WorkflowTaskAnswer& answer, absl::AnyInvocable<void(WorkflowTaskAnswer)>) override {
    ++activations;
    core::wire::RespondWorkflowTaskCompletedRequest completed;
    script(task, completed);
    answer = std::move(completed);
    return Verdict::kAnswered;
  }
  void forget(std::string_view) override {}

  std::function<void(const Task&, core::wire::RespondWorkflowTaskCompletedRequest&)> script;
  int activations = 0;
};

// Keeps its notes as a file does, over the end of an engine that did not come to take them away.
class KeptQuarantine final : public Quarantine {
 public:
  size_t begin(const store::WorkflowKey& workflow) override {
    notes_[++last_note_] = workflow;
    return last_note_;
  }
  void end(size_t note) override {
    if (!dead_) notes_.erase(note);
  }
  std::optional<Suspect> suspect(const store::WorkflowKey& workflow) const override {
    const auto found = suspects_.find(workflow);
    return found == suspects_.end() ? std::nullopt : std::optional(found->second);
  }
  void release(const store::WorkflowKey& workflow) override { suspects_[workflow].deaths = kDeaths - 1; }

  // From here on nothing is taken away any more: the process is dead.
  void die() { dead_ = true; }
  void count_deaths() {
    std::set<store::WorkflowKey> dead;
    for (const auto& [id, workflow] : notes_) dead.insert(workflow);
    for (const auto& workflow : dead) ++suspects_[workflow].deaths;
    notes_.clear();
    dead_ = false;
  }
  bool is_idle() const { return notes_.empty(); }

 private:
  std::map<size_t, store::WorkflowKey> notes_;
  std::map<store::WorkflowKey, Suspect> suspects_;
  size_t last_note_ = 0;
  bool dead_ = false;
};

class EmbeddedTest : public EngineTest {
 protected:
  EmbeddedTest() {
    end();
    embedded_ = &worker_;
    begin();
  }
  ~EmbeddedTest() override {
    if (matching_ != nullptr) end();
  }

  // An order that is tried again at once when it fails.
  absl::Status start_retried(const std::string& id) {
    wire::StartWorkflowExecutionRequest request;
    request.set_namespace_("default");
    request.set_workflow_id(id);
    request.mutable_workflow_type()->set_name("order");
    request.mutable_task_queue()->set_name("orders");
    request.set_request_id("start " + id);
    request.mutable_retry_policy();
    return ask(&EngineImpl::start_workflow, request).status();
  }

  static void fail_at_once(core::wire::RespondWorkflowTaskCompletedRequest& answer) {
    auto* command = answer.add_commands();
    command->set_command_type(enums::COMMAND_TYPE_FAIL_WORKFLOW_EXECUTION);
    auto* failure = command->mutable_fail_workflow_execution_command_attributes()->mutable_failure();
    failure->set_message("again");
    failure->mutable_application_failure_info()->mutable_next_retry_delay();
  }

  ScriptedWorker worker_;
};

// The process dies whenever the worker drives the workflow "bad", until that is mended.
class QuarantineTest : public EmbeddedTest {
 protected:
  QuarantineTest() {
    end();
    quarantine_ = &kept_;
    begin();
    worker_.script = [this](const auto& task, auto& answer) {
      if (task.workflow_execution().workflow_id() == "bad" && !mended_) {
        ++deaths_;
        kept_.die();
        store_.refuses = [](const store::Batch&) { return absl::UnavailableError("the process is dead"); };
      }
      *answer.add_commands() = activity("a");
    };
  }
  ~QuarantineTest() override { end(); }

  bool is_dead() const { return deaths_ > seen_deaths_; }
  void live_again() {
    seen_deaths_ = deaths_;
    end();
    kept_.count_deaths();
    store_.refuses = [](const store::Batch&) { return absl::OkStatus(); };
    begin();
  }
  // A timer's run that sleeps until the worker has to drive it.
  void start_sleeping(const std::string& id) {
    wire::StartWorkflowExecutionRequest request;
    request.set_namespace_("default");
    request.set_workflow_id(id);
    request.mutable_workflow_type()->set_name("order");
    request.mutable_task_queue()->set_name("orders");
    request.set_request_id("start " + id);
    *request.mutable_workflow_start_delay() = google::protobuf::util::TimeUtil::SecondsToDuration(30);
    ASSERT_TRUE(ask(&EngineImpl::start_workflow, request).ok());
  }
  void die_twice() {
    start_sleeping("bad");
    for (int life = 0; life < 2; ++life) {
      world_.run_for(absl::Seconds(31));
      ASSERT_TRUE(is_dead());
      live_again();
    }
  }
  absl::Status unpause() {
    wire::UnpauseWorkflowExecutionRequest request;
    request.set_workflow_id("bad");
    return ask(&EngineImpl::unpause, request).status();
  }

  KeptQuarantine kept_;
  bool mended_ = false;
  int deaths_ = 0;
  int seen_deaths_ = 0;
};

TEST_F(QuarantineTest, AWorkflowThatTookTheProcessWithItTwiceIsLeftAloneAndItsNeighboursGoOn) {
  die_twice();
  world_.run_for(absl::Minutes(5));
  EXPECT_FALSE(is_dead());
  EXPECT_TRUE(start("neighbour").ok());
  EXPECT_EQ(stored("neighbour").activities_size(), 1);
  EXPECT_FALSE(is_dead());
  EXPECT_TRUE(kept_.is_idle());
}

TEST_F(QuarantineTest, OneDeathIsNoQuarantine) {
  start_sleeping("bad");
  world_.run_for(absl::Seconds(31));
  ASSERT_TRUE(is_dead());
  mended_ = true;
  live_again();
  EXPECT_FALSE(describe("bad")->workflow_extended_info().has_pause_info());
  world_.run_for(absl::Seconds(1));
  EXPECT_EQ(stored("bad").activities_size(), 1);
}

TEST_F(QuarantineTest, DescribeTellsWhatIsSentWaitsAndNothingDrivesIt) {
  die_twice();
  const auto described = describe("bad");
  ASSERT_TRUE(described.ok());
  EXPECT_EQ(described->workflow_extended_info().pause_info().identity(), "skald-quarantine");
  EXPECT_THAT(described->workflow_extended_info().pause_info().reason(), HasSubstr("died 2 times"));
  EXPECT_TRUE(absl::IsUnavailable(signal("bad")));
  wire::QueryWorkflowRequest query;
  query.mutable_execution()->set_workflow_id("bad");
  query.mutable_query()->set_query_type("state");
  EXPECT_TRUE(absl::IsUnavailable(ask(&EngineImpl::query, query).status()));
  EXPECT_FALSE(is_dead());
}

TEST_F(QuarantineTest, RetryDrivesItAndOneMoreDeathPutsItBack) {
  die_twice();
  EXPECT_TRUE(unpause().ok());
  world_.run_for(absl::Seconds(1));
  ASSERT_TRUE(is_dead());
  live_again();
  world_.run_for(absl::Minutes(1));
  EXPECT_FALSE(is_dead());
  mended_ = true;
  EXPECT_TRUE(unpause().ok());
  world_.run_for(absl::Seconds(1));
  EXPECT_EQ(stored("bad").activities_size(), 1);
  EXPECT_TRUE(signal("bad").ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(unpause())) << "there is nothing to try again";
}

TEST_F(QuarantineTest, ItCanBeTerminatedAndItsIdUsedAgain) {
  die_twice();
  EXPECT_TRUE(terminate("bad").ok());
  EXPECT_EQ(stored("bad").status(), enums::WORKFLOW_EXECUTION_STATUS_TERMINATED);
  mended_ = true;
  EXPECT_TRUE(start("bad").ok());
  EXPECT_EQ(stored("bad").activities_size(), 1);
}

TEST_F(QuarantineTest, ARunThatDiesBeforeItIsStoredIsMadeWithoutBeingDriven) {
  for (int life = 0; life < 2; ++life) {
    EXPECT_FALSE(start("bad").ok());
    ASSERT_TRUE(is_dead());
    live_again();
  }
  EXPECT_TRUE(start("bad").ok());
  EXPECT_FALSE(is_dead());
  EXPECT_TRUE(describe("bad")->workflow_extended_info().has_pause_info());
}

TEST_F(EmbeddedTest, StartAndFirstCommandsAreOneCommit) {
  worker_.script = [](const auto&, auto& answer) { *answer.add_commands() = activity("a"); };
  ASSERT_TRUE(start("order").ok());
  EXPECT_EQ(commits(), 1U);
  EXPECT_EQ(stored("order").activities_size(), 1);
}

// A call each on the stack, a chain of this length ends the process.
TEST_F(EmbeddedTest, RunsThatFollowEachOtherAtOnceAreNotDrivenWithinEachOther) {
  constexpr int kRuns = 20'000;
  worker_.script = [this](const auto&, auto& answer) {
    if (worker_.activations < kRuns) return fail_at_once(answer);
    *answer.add_commands() = completion();
  };
  ASSERT_TRUE(start_retried("order").ok());
  EXPECT_EQ(worker_.activations, kRuns);
  EXPECT_EQ(stored("order").attempt(), kRuns);
  EXPECT_EQ(stored("order").status(), enums::WORKFLOW_EXECUTION_STATUS_COMPLETED);
}

TEST_F(EmbeddedTest, AndLetTheirNeighboursHaveTheirTurn) {
  constexpr int kRuns = 1'000;
  int before_neighbour = 0;
  worker_.script = [&](const auto& task, auto& answer) {
    if (task.workflow_execution().workflow_id() == "neighbour") before_neighbour = worker_.activations;
    if (task.workflow_execution().workflow_id() == "order" && worker_.activations < kRuns) return fail_at_once(answer);
    *answer.add_commands() = completion();
  };
  wire::StartWorkflowExecutionRequest request;
  request.set_namespace_("default");
  request.set_workflow_id("order");
  request.mutable_workflow_type()->set_name("order");
  request.mutable_task_queue()->set_name("orders");
  request.set_request_id("start order");
  request.mutable_retry_policy();
  engine_->start_workflow(call(), request, [](const auto&) {});
  ASSERT_TRUE(start_retried("neighbour").ok());
  EXPECT_LT(before_neighbour, 10);
  EXPECT_EQ(stored("neighbour").status(), enums::WORKFLOW_EXECUTION_STATUS_COMPLETED);
}

}  // namespace
}  // namespace skald::shard
