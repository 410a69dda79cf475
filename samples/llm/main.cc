// skald-llm: a sandbox of a language model's endpoint, for trying and testing.
#include <csignal>
#include <fstream>
#include <iterator>

#include <CLI/CLI.hpp>
#include <fmt/core.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "samples/llm/endpoint.h"

namespace {

using skald::samples::llm::Endpoint;

constexpr char kHelp[] =
    "A model's endpoint without a model: it speaks OpenAI's chat completions and embeddings on the loopback, answers "
    "by\n"
    "simple arithmetic or by the rules of a script, and misbehaves as the script says. Prints one line,\n"
    "skald-llm: serving on http://127.0.0.1:PORT/v1, and serves until its standard input closes, or until SIGTERM.";
constexpr char kExample[] =
    "Example: every second order is answered late\n"
    "  skald-llm --port 8090 --script late.json\n"
    "  {\"rules\": [{\"when\": {\"schema\": \"order_risk\"}, \"times\": 1, \"then\": {\"delay_ms\": 30000}}]}\n"
    "samples/llm/README.md tells all that a rule can say.";

// Takes the signals that end a server out of their usual way.
int signals_to_watch() {
  sigset_t ending;
  sigemptyset(&ending);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&ending, signal);
  sigprocmask(SIG_BLOCK, &ending, nullptr);
  signal(SIGPIPE, SIG_IGN);
  return signalfd(-1, &ending, SFD_CLOEXEC);
}

void wait_until_told(int signals) {
  pollfd watched[] = {{STDIN_FILENO, POLLIN, 0}, {signals, POLLIN, 0}};
  while (true) {
    if (poll(watched, 2, -1) < 0) continue;
    if (watched[1].revents != 0) return;
    char ignored[4096];
    if (watched[0].revents != 0 && read(STDIN_FILENO, ignored, sizeof(ignored)) <= 0) return;
  }
}

void load_script(const std::string& path, Endpoint& endpoint) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error("the script " + path + " cannot be read");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  try {
    endpoint.script().load(nlohmann::json::parse(text, nullptr, true, true));
  } catch (const std::exception& error) {
    throw std::runtime_error(path + ": " + error.what());
  }
}

}  // namespace

int main(int argc, char** argv) {
  skald::samples::llm::EndpointOptions options;
  std::string script;
  int64_t latency_ms = 0;
  CLI::App app{kHelp, "skald-llm"};
  app.footer(kExample);
  app.add_option("--port", options.port, "The port; 0: any free one")
      ->check(CLI::Range(0, 65535))
      ->capture_default_str();
  app.add_option("--script", script, "Rules, as a JSON file with // comments")->check(CLI::ExistingFile);
  app.add_option("--api-key", options.api_key, "What clients must show; without it, nothing");
  app.add_option("--latency-ms", latency_ms, "How long each chat answer takes")->check(CLI::NonNegativeNumber);
  CLI11_PARSE(app, argc, argv);
  options.latency = std::chrono::milliseconds(latency_ms);

  const int signals = signals_to_watch();
  try {
    Endpoint endpoint(options);
    if (!script.empty()) load_script(script, endpoint);
    fmt::print("skald-llm: serving on http://127.0.0.1:{}/v1\n", endpoint.start());
    fflush(stdout);
    wait_until_told(signals);
    return 0;
  } catch (const std::exception& error) {
    fmt::print(stderr, "skald-llm: {}\n", error.what());
    return 1;
  }
}
