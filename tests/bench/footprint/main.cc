// skald-footprint: what a server weighs. Prints a table: start, memory at rest, with many sleeping workflows, and after
// a kill -9.
#include <condition_variable>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>

#include "temporal/api/workflowservice/v1/service.grpc.pb.h"
#include <CLI/CLI.hpp>
#include <absl/strings/str_cat.h>
#include <absl/time/clock.h>
#include <fmt/core.h>
#include <grpcpp/grpcpp.h>
#include <unistd.h>

#include "samples/demo/server_process.h"

namespace {

using skald::demo::ServerProcess;
namespace wire = temporal::api::workflowservice::v1;

struct Options {
  int sleepers = 100'000;
  int in_flight = 256;
  std::string binary = SKALD_BINARY;
  std::string folder = std::filesystem::temp_directory_path() / fmt::format("skald-footprint-{}", getpid());
};

std::unique_ptr<wire::WorkflowService::Stub> connect(const ServerProcess& server) {
  return wire::WorkflowService::NewStub(grpc::CreateChannel(server.address(), grpc::InsecureChannelCredentials()));
}

std::string workflow_id(int number) { return absl::StrCat("nap-", number); }

// Starts all sleepers, so many at a time.
void start_sleepers(const ServerProcess& server, const Options& options) {
  struct Call {
    grpc::ClientContext context;
    wire::StartWorkflowExecutionRequest request;
    wire::StartWorkflowExecutionResponse response;
  };
  const auto stub = connect(server);
  std::mutex mutex;
  std::condition_variable change;
  int open = 0;
  std::string problem;
  for (int i = 0; i < options.sleepers; ++i) {
    {
      std::unique_lock lock(mutex);
      change.wait(lock, [&] { return open < options.in_flight; });
      if (!problem.empty()) break;
      ++open;
    }
    auto* call = new Call();  // deleted by its callback
    call->request.set_namespace_("default");
    call->request.set_workflow_id(workflow_id(i));
    call->request.set_request_id(workflow_id(i));
    call->request.mutable_workflow_type()->set_name("nap");
    call->request.mutable_task_queue()->set_name("skald");
    auto* input = call->request.mutable_input()->add_payloads();
    (*input->mutable_metadata())["encoding"] = "json/plain";
    input->set_data(fmt::format(R"({{"order_id":"{}"}})", i));
    stub->async()->StartWorkflowExecution(&call->context, &call->request, &call->response, [&, call](const grpc::Status& status) {
      delete call;
      const std::lock_guard lock(mutex);
      --open;
      if (!status.ok()) problem = status.error_message();
      change.notify_all();
    });
  }
  std::unique_lock lock(mutex);
  change.wait(lock, [&] { return open == 0; });
  if (!problem.empty()) throw std::runtime_error("a start failed: " + problem);
}

// Asks a sleeper for its state; returns how long that took.
absl::Duration query_one(const ServerProcess& server, int number) {
  const auto stub = connect(server);
  wire::QueryWorkflowRequest request;
  request.set_namespace_("default");
  request.mutable_execution()->set_workflow_id(workflow_id(number));
  request.mutable_query()->set_query_type("state");
  grpc::ClientContext context;
  wire::QueryWorkflowResponse response;
  const absl::Time began = absl::Now();
  const grpc::Status status = stub->QueryWorkflow(&context, request, &response);
  if (!status.ok()) throw std::runtime_error("a query failed: " + status.error_message());
  return absl::Now() - began;
}

double data_mb(const std::string& folder) {
  double bytes = 0;
  for (const auto& file : std::filesystem::directory_iterator(folder)) bytes += static_cast<double>(file.file_size());
  return bytes / (1 << 20);
}

void row(const char* when, const ServerProcess& server, std::optional<absl::Duration> took) {
  fmt::print("| {:<36} | {:>9} | {:>8.1f} | {:>8.1f} | {:>8.2f} |\n", when,
             took ? fmt::format("{:.3f} s", absl::ToDoubleSeconds(*took)) : "", server.resident_mb(), server.peak_mb(),
             absl::ToDoubleSeconds(server.cpu()));
  fflush(stdout);
}

void measure(const Options& options) {
  const std::vector<std::string> command = {
      options.binary, "server",      "--store",     "sqlite:" + options.folder + "/skald.sqlite",
      "--grpc",       "127.0.0.1:0", "--workflows", SKALD_NAPS};
  fmt::print("| {:<36} | {:>9} | {:>8} | {:>8} | {:>8} |\n", "server", "took", "RSS, MB", "peak, MB", "CPU, s");
  {
    ServerProcess server(command);
    row("serving, new data", server, server.time_to_serving());
    absl::SleepFor(absl::Seconds(1));
    row("at rest for a second", server, std::nullopt);
    const absl::Time began = absl::Now();
    start_sleepers(server, options);
    row(fmt::format("{} sleeping workflows", options.sleepers).c_str(), server, absl::Now() - began);
    absl::SleepFor(absl::Seconds(3));
    row("at rest for three seconds", server, std::nullopt);
    const absl::Duration took = query_one(server, 0);
    row("the oldest queried", server, took);
    server.kill();
  }
  ServerProcess server(command);
  row("serving again after kill -9", server, server.time_to_serving());
  const absl::Duration took = query_one(server, options.sleepers / 2);
  row("one queried", server, took);
  absl::SleepFor(absl::Seconds(3));
  row("at rest for three seconds", server, std::nullopt);
  fmt::print("data: {:.1f} MB on disk\n", data_mb(options.folder));
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app{"What a server weighs: start, memory, sleeping workflows", "skald-footprint"};
  app.add_option("--sleepers", options.sleepers, "Sleeping workflows")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app.add_option("--in-flight", options.in_flight, "Starts at a time")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app.add_option("--binary", options.binary, "The server")->capture_default_str()->check(CLI::ExistingFile);
  app.add_option("--folder", options.folder, "Scratch folder for the data; removed afterwards")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  if (std::filesystem::exists(options.folder)) {
    fmt::print(stderr, "skald-footprint: {} exists; name a folder that does not\n", options.folder);
    return 2;
  }
  int code = 0;
  try {
    std::filesystem::create_directories(options.folder);
    measure(options);
  } catch (const std::exception& error) {
    fmt::print(stderr, "skald-footprint: {}\n", error.what());
    code = 1;
  }
  std::filesystem::remove_all(options.folder);
  return code;
}
