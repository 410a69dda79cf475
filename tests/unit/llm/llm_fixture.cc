#include "tests/unit/llm/llm_fixture.h"

#include <filesystem>
#include <fstream>

#include <httplib.h>

namespace skald::plugins {

LlmTest::LlmTest() : endpoint_(samples::llm::EndpointOptions{}) {
  port_ = endpoint_.start();
  add(PLUGINS_FOLDER, "llm");
  write_prompt("risk", 1, risk_sheet(), "The order: {{inputs.order}}");
}

LlmTest::~LlmTest() {
  host_.reset();
  endpoint_.stop();
}

json LlmTest::risk_sheet() {
  return {{"temperature", 0},
          {"max_tokens", 100},
          {"output",
           {{"type", "object"},
            {"properties", {{"verdict", {{"enum", {"approve", "reject", "review"}}}}}},
            {"required", {"verdict"}}}}};
}

void LlmTest::start_host(const json& config) {
  json whole = {{"url", "http://127.0.0.1:" + std::to_string(port_) + "/v1"},
                {"model", "sandbox"},
                {"embedding_model", "sandbox-embedding"},
                {"prompts", "prompts"}};
  whole.update(config);
  configure("llm", whole);
  load();
  ASSERT_TRUE(host_->problems().empty()) << host_->problems()[0];
}

void LlmTest::write_prompt(const std::string& name, int version, const json& sheet, const std::string& user,
                           const std::string& system) {
  const std::string folder = folder_ + "/prompts/" + name + "/" + std::to_string(version);
  std::filesystem::create_directories(folder);
  std::ofstream(folder + "/prompt.json") << sheet.dump(2);
  std::ofstream(folder + "/user.md") << user;
  std::ofstream(folder + "/system.md") << system;
}

void LlmTest::script(const json& rules) { endpoint_.script().load({{"rules", rules}}); }

void LlmTest::answer_always(const std::string& content) {
  script({{{"when", json::object()}, {"then", {{"content", content}}}}});
}

json LlmTest::approval(const std::string& explanation) {
  return {{"verdict", "approve"}, {"confidence", 0.9}, {"explanation", explanation}};
}

json LlmTest::requests() const {
  httplib::Client client("127.0.0.1", port_);
  const auto response = client.Get("/sandbox/requests");
  return json::parse(response->body)["requests"];
}

std::vector<json> LlmTest::chats() const {
  std::vector<json> out;
  for (const json& request : requests()) {
    if (request["path"].get<std::string>().find("chat") != std::string::npos) out.push_back(request["body"]);
  }
  return out;
}

std::string LlmTest::all_that_left() const { return requests().dump(); }

HostTest::Task LlmTest::task(const std::string& activity, json input, const std::string& workflow) const {
  Task out;
  out.type = "llm." + activity;
  out.input = std::move(input);
  out.workflow = workflow;
  return out;
}

HostTest::Task LlmTest::decide(const json& more, const std::string& workflow) const {
  json input = {{"prompt", "risk"},
                {"inputs", {{"order", {{"id", "17"}, {"total", 1250}, {"note", "please hurry"}}}}},
                {"about", "17"},
                {"agent", "risk"}};
  if (!more.is_null()) input.update(more);
  return task("decide", std::move(input), workflow);
}

json LlmTest::rule() { return {{"output", {{"verdict", "review"}}}, {"confidence", 0.5}, {"explanation", "a rule"}}; }

}  // namespace skald::plugins
