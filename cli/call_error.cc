#include "cli/call_error.h"

#include "google/rpc/status.pb.h"
#include "temporal/api/errordetails/v1/message.pb.h"
#include <fmt/format.h>

#include "cli/console.h"

namespace skald::cli {
namespace {

namespace errordetails = temporal::api::errordetails::v1;

// gRPC's own words, under several codes, for a call that ended well but brought no response.
constexpr char kNoMessage[] = "No message returned for unary request";

// The first detail of an error, if it is a `Detail`.
template <typename Detail>
bool has_detail(const grpc::Status& status, Detail& detail) {
  google::rpc::Status details;
  return details.ParseFromString(status.error_details()) && details.details_size() > 0 &&
         details.details(0).UnpackTo(&detail);
}

Outcome unreachable(std::string sentence) { return {ExitCode::kUnreachable, std::move(sentence)}; }

Outcome explain_not_found(const grpc::Status& status, const std::string& message) {
  errordetails::NamespaceNotFoundFailure unknown;
  if (has_detail(status, unknown)) {
    return failed(
        fmt::format("there is no namespace '{0}'; `skald namespace list` shows those that are, `skald namespace "
                    "register {0}` makes it",
                    unknown.namespace_()));
  }
  if (message == "workflow execution already completed") {
    return failed("the workflow has already closed; `skald workflow result` prints how it ended");
  }
  return failed(fmt::format("{}; `skald workflow list` shows the workflows there are", message));
}

Outcome explain_exists(const grpc::Status& status, const std::string& message) {
  errordetails::NamespaceAlreadyExistsFailure taken;
  if (has_detail(status, taken)) {
    return failed(
        "there is a namespace of this name already; `skald namespace describe` shows it, `skald namespace update` "
        "changes it");
  }
  errordetails::WorkflowExecutionAlreadyStartedFailure started;
  if (!has_detail(status, started)) return failed(message);
  const bool is_named = message.find(started.run_id()) != std::string::npos;
  return failed(
      fmt::format("{}{}; take another --id, or say with --id-conflict-policy or --id-reuse-policy what is to happen",
                  message, is_named ? "" : fmt::format(" (run {})", started.run_id())));
}

}  // namespace

Outcome explain(const grpc::Status& status, std::string_view address, bool connected, std::string_view patience) {
  std::string message = printable(status.error_message());
  while (!message.empty() && (message.back() == '.' || message.back() == '\n' || message.back() == ' '))
    message.pop_back();
  if (message == kNoMessage)
    return failed(fmt::format("the server at {} ended the call without an answer; see its log", address));
  switch (status.error_code()) {
    case grpc::StatusCode::OK:
      return {};
    case grpc::StatusCode::UNAVAILABLE:
      if (connected)
        return unreachable(fmt::format("the server at {} cannot do this now ({}); try again", address, message));
      return unreachable(fmt::format(
          "no server answers at {}; start one with `skald server`, or name its address with --address or SKALD_ADDRESS",
          address));
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      if (message.empty() || message == "Deadline Exceeded") {
        return unreachable(fmt::format(
            "no answer from {} within {}; see whether that is a Skald server, or wait longer with --timeout", address,
            patience));
      }
      return unreachable(fmt::format("no answer within {}: {}; wait longer with --timeout", patience, message));
    case grpc::StatusCode::NOT_FOUND:
      return explain_not_found(status, message);
    case grpc::StatusCode::ALREADY_EXISTS:
      return explain_exists(status, message);
    case grpc::StatusCode::UNIMPLEMENTED:
      return failed(fmt::format("the server at {} does not offer this ({})", address, message));
    case grpc::StatusCode::RESOURCE_EXHAUSTED:
      return failed(fmt::format("the server refused for want of room: {}; try again later", message));
    case grpc::StatusCode::INVALID_ARGUMENT: {
      errordetails::QueryFailedFailure query;
      return failed(fmt::format(
          "{}: {}", has_detail(status, query) ? "the workflow failed the query" : "the server refused the request",
          message));
    }
    default:
      return failed(message.empty()
                        ? fmt::format("the call failed, and the server at {} does not say why; see its log", address)
                        : message);
  }
}

}  // namespace skald::cli
