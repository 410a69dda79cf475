#pragma once

// How a method's handler is made of a typed function. Private to the room.
#include <memory>
#include <string>
#include <utility>

#include "temporal/api/workflowservice/v1/request_response.pb.h"

#include "engine/api/enum_check.h"
#include "engine/api/methods.h"

namespace skald::api {

namespace wire = temporal::api::workflowservice::v1;

// There is one cluster.
inline constexpr char kClusterName[] = "active";

inline std::string workflow_method(const char* name) { return std::string("/temporal.api.workflowservice.v1.WorkflowService/") + name; }

// The request, if it is one of this type and its enums are known.
template <typename Request>
absl::StatusOr<Request> parse(const RawCall& call) {
  static const EnumCheck enums(*Request::descriptor());
  Request request;
  if (!request.ParseFromString(call.request)) return absl::InvalidArgumentError("the request is no valid " + Request::descriptor()->name() + " message");
  if (absl::Status status = enums.check(request); !status.ok()) return status;
  return request;
}

template <typename Response>
auto serialized(RawCall& call) {
  return [reply = std::move(call.reply)](absl::StatusOr<Response> response) mutable {
    if (!response.ok()) return reply(response.status());
    reply(response->SerializeAsString());
  };
}

// The call as the engine knows it: its namespace looked up.
template <typename Request>
absl::StatusOr<shard::Call> engine_call(const Backend& backend, const RawCall& raw, const Request& request) {
  if (request.namespace_().empty()) return absl::InvalidArgumentError("Namespace not set on request.");
  auto settings = backend.namespaces.by_name(request.namespace_());
  if (settings == nullptr) return namespaces::namespace_not_found(request.namespace_());
  return shard::Call{std::move(settings), raw.deadline, raw.cancellation};
}

// Adds a method that answers from what is in memory: `make` takes the request and returns a StatusOr of the response.
template <typename Request, typename Make>
void answer(Methods& methods, std::string method, Make make) {
  methods[std::move(method)] = [make](RawCall raw) {
    auto request = parse<Request>(raw);
    if (!request.ok()) return raw.reply(request.status());
    auto response = make(*request);
    if (!response.ok()) return raw.reply(response.status());
    raw.reply(response->SerializeAsString());
  };
}

// Adds the method `name`: parse, look up the namespace, `check` the form, and call the engine's `method`.
template <typename Request, typename Response, typename Check>
void add(const Backend& backend, Methods& methods, const char* name,
         void (shard::Engine::*method)(shard::Call, Request, shard::Done<Response>), Check check) {
  methods[workflow_method(name)] = [&backend, method, check](RawCall raw) {
    auto request = parse<Request>(raw);
    if (!request.ok()) return raw.reply(request.status());
    auto call = engine_call(backend, raw, *request);
    if (!call.ok()) return raw.reply(call.status());
    if (absl::Status status = check(*request, *call->ns); !status.ok()) return raw.reply(status);
    (backend.engine.*method)(*std::move(call), *std::move(request), serialized<Response>(raw));
  };
}

}  // namespace skald::api
