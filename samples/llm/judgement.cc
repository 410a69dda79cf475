#include "samples/llm/judgement.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "samples/llm/facts.h"

namespace skald::samples::llm {
namespace {

// Amounts are in hundredths.
constexpr double kLargeOrder = 100'000;
constexpr double kHugeOrder = 500'000;
constexpr double kDoubt = 0.5;
constexpr double kFraud = 0.9;
constexpr double kDiscountShare = 0.1;
constexpr int kMaxDepth = 16;

double rounded(double value) { return std::round(value * 100) / 100; }

std::string sentence(const std::vector<std::string>& reasons, const std::string& none) {
  std::string text;
  for (const std::string& reason : reasons) text += (text.empty() ? "" : ", ") + reason;
  if (text.empty()) text = none;
  text[0] = static_cast<char>(std::toupper(text[0]));
  return text + ".";
}

json judge_risk(const Facts& facts) {
  double risk = 0.05;
  std::vector<std::string> reasons;
  const auto add = [&](double more, std::string reason) {
    risk += more;
    reasons.push_back(std::move(reason));
  };
  const double total = facts.number("total", 0);
  if (total >= kHugeOrder)
    add(0.5, "the total is very large");
  else if (total >= kLargeOrder)
    add(0.3, "the total is large");
  const double orders = facts.number("previous_orders", facts.number("orders", 1));
  if (orders < 1) add(0.2, "the customer is new");
  if (facts.number("chargebacks", 0) > 0) add(0.45, "the customer has had charges taken back");
  const std::string billing = facts.text("billing_country");
  if (!billing.empty() && billing != facts.text("country")) add(0.2, "goods and invoice go to different countries");
  if (facts.has_instruction()) add(0.3, "a text of the order gives orders to its reader, which I do not follow");
  risk = rounded(std::min(risk, 0.99));
  // The nearer to the middle, the less sure.
  const double confidence = rounded(0.55 + 0.8 * std::abs(risk - kDoubt));
  return {{"risk", risk},
          {"verdict", risk < kDoubt   ? "approve"
                      : risk < kFraud ? "review"
                                      : "reject"},
          {"confidence", std::min(confidence, 0.97)},
          {"explanation", sentence(reasons, "nothing about this order is unusual")}};
}

// The cheapest that arrives in time, or else the soonest.
json judge_dispatch(const Facts& facts) {
  const json& candidates = facts.find("candidates");
  const double days = facts.number("wanted_within_days", 1e9);
  const json* best = nullptr;
  const auto cost = [](const json& one) { return one.value("cost", 0.0); };
  const auto promise = [](const json& one) { return one.value("promise_days", 0.0); };
  for (const json& one : candidates) {
    if (!one.is_object()) continue;
    if (best == nullptr) {
      best = &one;
      continue;
    }
    const bool in_time = promise(one) <= days, best_in_time = promise(*best) <= days;
    const bool better = in_time != best_in_time ? in_time
                        : in_time               ? cost(one) < cost(*best)
                                                : promise(one) < promise(*best);
    if (better) best = &one;
  }
  if (best == nullptr)
    return {{"choice", ""}, {"confidence", 0.0}, {"explanation", "There is nothing to choose from."}};
  const bool in_time = promise(*best) <= days;
  return {{"choice", best->value("id", "")},
          {"confidence", in_time ? 0.9 : 0.6},
          {"explanation", fmt::format("{} from {} {} in {} days for {}.", best->value("carrier", "it"),
                                      best->value("warehouse", "there"),
                                      in_time ? "delivers in time:" : "is the soonest:", promise(*best), cost(*best))}};
}

json judge_failed_delivery(const Facts& facts) {
  const std::string reason = facts.text("reason");
  const double total = facts.number("total", 0);
  if (reason == "lost" || reason == "damaged") {
    return {{"remedy", "reship"},
            {"amount", 0},
            {"confidence", 0.9},
            {"explanation",
             fmt::format("The parcel is {}: the customer still wants the goods, so they are sent again.", reason)}};
  }
  if (reason == "late") {
    return {{"remedy", "discount"},
            {"amount", static_cast<int64_t>(total * kDiscountShare)},
            {"confidence", 0.85},
            {"explanation", "The parcel comes late: a tenth of the price makes up for it."}};
  }
  return {{"remedy", "refund"},
          {"amount", static_cast<int64_t>(total)},
          {"confidence", reason == "refused" ? 0.9 : 0.6},
          {"explanation", fmt::format("The delivery failed ({}): the customer gets the money back.",
                                      reason.empty() ? "nobody said why" : reason)}};
}

// The plainest value that a schema allows.
json plainest(const json& schema, const std::string& name, int depth) {
  if (!schema.is_object() || depth > kMaxDepth) return nullptr;
  if (schema.contains("const")) return schema["const"];
  if (schema.contains("enum") && !schema["enum"].empty()) return schema["enum"][0];
  json type = schema.value("type", json("object"));
  if (type.is_array()) type = type.empty() ? json("null") : type[0];
  if (type == "object") {
    json value = json::object();
    const json properties = schema.value("properties", json::object());
    for (const json& key : schema.value("required", json::array())) {
      const std::string field = key.get<std::string>();
      value[field] = plainest(properties.value(field, json::object()), field, depth + 1);
    }
    return value;
  }
  if (type == "array") {
    json value = json::array();
    for (int64_t i = 0; i < schema.value("minItems", int64_t{0}); ++i)
      value.push_back(plainest(schema.value("items", json::object()), name, depth + 1));
    return value;
  }
  if (type == "string") return name == "explanation" ? "The sandbox knows nothing of this question." : "unknown";
  if (type == "number") return name == "confidence" ? 0.5 : schema.value("minimum", 0.0);
  if (type == "integer") return schema.value("minimum", int64_t{0});
  if (type == "boolean") return false;
  return nullptr;
}

// The fields that the schema has, and what it requires beside.
json fitted(const json& answer, const json& schema) {
  json value = plainest(schema, "", 0);
  if (!value.is_object() || answer.is_null()) return value;
  const json properties = schema.value("properties", json::object());
  for (const auto& [key, field] : answer.items()) {
    if (!properties.contains(key)) continue;
    const json allowed = properties[key].value("enum", json::array());
    if (allowed.empty() || std::find(allowed.begin(), allowed.end(), field) != allowed.end()) value[key] = field;
  }
  return value;
}

}  // namespace

Reply judge(const ChatRequest& request) {
  Reply reply;
  const Facts facts(request.messages);
  if (request.schema.is_null()) {
    reply.content = fmt::format("The sandbox has read {} messages and has no opinion.", request.messages.size());
    return reply;
  }
  json answer;
  if (request.schema_name == "order_risk") answer = judge_risk(facts);
  if (request.schema_name == "dispatch") answer = judge_dispatch(facts);
  if (request.schema_name == "after_sales") {
    // Where the parcel is, is worth a look before anything is promised.
    const std::string track = request.tool_named("logistics.track");
    if (!track.empty() && !request.after_tool) {
      const json arguments = request.taken_by(track, {{"order_id", facts.text("order_id")}});
      reply.tool_calls.push_back({track, arguments.dump()});
      return reply;
    }
    answer = judge_failed_delivery(facts);
  }
  reply.content = fitted(answer, request.schema).dump();
  return reply;
}

}  // namespace skald::samples::llm
