#include <atomic>
#include <filesystem>
#include <fstream>
#include <future>
#include <map>
#include <string>
#include <thread>

#include <CLI/CLI.hpp>
#include <absl/time/clock.h>
#include <fmt/format.h>
#include <sys/resource.h>

#include "plugins/host/plugin_host.h"
#include "tests/bench/http/slow_server.h"

// Activities that wait for a slow service, in one plugin of one host.
namespace skald::bench {
namespace {

struct Process {
  double rss_mb = 0;
  int threads = 0, http_threads = 0;
};

Process look() {
  Process out;
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmRSS:")) out.rss_mb = std::stod(line.substr(6)) / 1024;
  }
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::string name;
    std::ifstream(task.path() / "comm") >> name;
    ++out.threads;
    if (name == "skald-http") ++out.http_threads;
  }
  return out;
}

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

void allow_many_files() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

worker::wire::PollActivityTaskQueueResponse task(const std::string& url, int number) {
  worker::wire::PollActivityTaskQueueResponse out;
  out.set_task_token("token");
  out.mutable_activity_type()->set_name("caller.call");
  out.set_attempt(1);
  out.set_workflow_namespace("default");
  out.mutable_workflow_execution()->set_workflow_id(fmt::format("w{}", number));
  out.mutable_workflow_execution()->set_run_id(fmt::format("r{}", number));
  out.set_activity_id("1");
  out.mutable_start_to_close_timeout()->set_seconds(120);
  out.mutable_input()->add_payloads()->set_data(fmt::format(R"({{"url":"{}"}})", url));
  return out;
}

struct Counts {
  std::atomic<int> left, completed = 0;
  std::promise<void> all;
};

int run(int activities, int delay_ms) {
  const SlowServer server(delay_ms);
  allow_many_files();
  plugins::PluginHostOptions options{.folder = SKALD_BENCH_PLUGINS};
  options.config["caller"] = fmt::format(
      R"({{"limits": {{"max_concurrent_activities": {0}}}, "http": {{"max_concurrent_per_host": {0}}}}})", activities);
  auto host = plugins::PluginHost::load(std::move(options));
  if (!host.ok() || !(*host)->problems().empty()) {
    fmt::print(stderr, "{}\n", host.ok() ? (*host)->problems()[0] : std::string(host.status().message()));
    return 1;
  }
  const Process before = look();
  const double cpu = cpu_seconds();
  const absl::Time start = absl::Now();
  Counts counts;
  counts.left = activities;
  for (int i = 0; i < activities; ++i) {
    (*host)->execute(
        task(server.url(), i), [](auto, auto) {},
        [&counts](const worker::ActivityOutcome& outcome) {
          if (std::holds_alternative<temporal::api::common::v1::Payloads>(outcome)) ++counts.completed;
          if (--counts.left == 0) counts.all.set_value();
        });
  }
  Process peak = look();
  auto all = counts.all.get_future();
  while (all.wait_for(std::chrono::milliseconds(20)) != std::future_status::ready) {
    const Process now = look();
    peak = {std::max(peak.rss_mb, now.rss_mb), std::max(peak.threads, now.threads),
            std::max(peak.http_threads, now.http_threads)};
  }
  fmt::print("| activities that wait {} ms each for a service, at a time | {} |\n|---|---|\n", delay_ms, activities);
  fmt::print("| completed | {} |\n", counts.completed.load());
  fmt::print("| failed | {} |\n", activities - counts.completed);
  fmt::print("| wall time | {:.2f} s |\n", absl::ToDoubleSeconds(absl::Now() - start));
  fmt::print("| CPU | {:.2f} s |\n", cpu_seconds() - cpu);
  fmt::print("| threads of the process before, at most | {}, {} |\n", before.threads, peak.threads);
  fmt::print("| of them HTTP loops | {} |\n", peak.http_threads);
  fmt::print("| memory before, at most (RSS) | {:.1f} MB, {:.1f} MB |\n", before.rss_mb, peak.rss_mb);
  return counts.completed == activities ? 0 : 1;
}

}  // namespace
}  // namespace skald::bench

int main(int argc, char** argv) {
  int activities = 1000, delay_ms = 5000;
  CLI::App app("Activities that wait for a slow service over HTTP, all at a time, in one plugin");
  app.add_option("--activities", activities, "How many")->capture_default_str()->check(CLI::PositiveNumber);
  app.add_option("--delay-ms", delay_ms, "How long the service takes for each")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  return skald::bench::run(activities, delay_ms);
}
