#pragma once

#include <memory>
#include <string>
#include <vector>

#include "samples/llm/endpoint.h"
#include "tests/unit/plugins/host_fixture.h"

namespace skald::plugins {

// The plugin in a host, a sandbox endpoint that it asks over HTTP, and a prompt "risk": its answer has a `verdict`.
class LlmTest : public HostTest {
 protected:
  LlmTest();
  ~LlmTest() override;

  // (Re)starts the host. `config` is added to a configuration that knows the endpoint and the prompts.
  void start_host(const json& config = json::object());
  void write_prompt(const std::string& name, int version, const json& sheet, const std::string& user,
                    const std::string& system = "You decide.");
  static json risk_sheet();

  // What the endpoint answers; the first rule that fits.
  void script(const json& rules);
  // Every answer is this text.
  void answer_always(const std::string& content);
  static json approval(const std::string& explanation = "all is well");

  // What came: all, or the bodies of chat completions.
  json requests() const;
  std::vector<json> chats() const;
  std::string all_that_left() const;

  Task task(const std::string& activity, json input, const std::string& workflow = "w1") const;
  // An llm.decide of agent "risk" about order 17; `more` replaces fields of the input.
  Task decide(const json& more = json::object(), const std::string& workflow = "w1") const;
  static json rule();

  samples::llm::Endpoint endpoint_;
  int port_ = 0;
};

}  // namespace skald::plugins
