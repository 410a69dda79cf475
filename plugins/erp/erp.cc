#include <map>
#include <string>

#include "plugins/erp/audit.h"
#include "plugins/erp/conflicts.h"
#include "plugins/erp/documents.h"
#include "plugins/erp/mirror.h"
#include "plugins/erp/orders.h"
#include "plugins/erp/sync.h"
#include "plugins/erp/work_orders.h"

// Orders, stock, items and work orders, in step with an ERP over REST. docs/erp.md is the manual.
namespace skald::plugin::erp {
namespace {

const std::map<std::string, Rule> kRules = {{"erp_wins", Rule::kErpWins},
                                            {"ours_wins", Rule::kOursWins},
                                            {"newest_wins", Rule::kNewestWins},
                                            {"ask", Rule::kAsk}};
const std::map<std::string, std::string> kDefaults = {
    {"items", "erp_wins"}, {"stock", "erp_wins"}, {"orders", "ours_wins"}};

json rule_schema(const std::string& kind, const std::string& description) {
  json names = json::array();
  for (const auto& [name, rule] : kRules) names.push_back(name);
  return {{"enum", names}, {"default", kDefaults.at(kind)}, {"description", description}};
}

class Erp final : public Plugin, private Desk {
 public:
  Erp() : Plugin("erp", "0.1.0") {
    const json conflicts = {{"type", "object"},
                            {"additionalProperties", false},
                            {"properties",
                             {{"items", rule_schema("items", "Who is right about an item that both sides changed")},
                              {"stock", rule_schema("stock", "The same of a stock level")},
                              {"orders", rule_schema("orders", "The same of an order's outcome")}}}};
    const json url = {
        {"type", "string"}, {"pattern", "^https?://."}, {"description", "The ERP's, what /v1/… follows on"}};
    const json key = {{"type", "string"}, {"secret", true}, {"description", "Sent as Authorization: Bearer …"}};
    settings({{"url", url}, {"api_key", key}, {"conflicts", conflicts}}, {"url", "api_key"});
    add("push_order", push_order);
    add("push_outcome", push_outcome);
    add("pull", pull);
    add("push_stock", push_stock);
    add("push_item", push_item);
    effect("item", {.run = find_item, .reads = true});
    effect("order", {.run = find_order, .reads = true});
    add("create_work_order", create_work_order);
    add("assign_work_order", assign_work_order);
    add("complete_work_order", complete_work_order);
    add("cancel_work_order", cancel_work_order);
    effect("conflicts", {.run = list_conflicts, .reads = true});
    add("resolve_conflict", resolve_conflict);
    add("audit", audit);
  }

 protected:
  void create_tables(EffectStore& db) override {
    create_document_tables(db);
    create_conflict_tables(db);
    Mirror::create_tables(db);
    url_ = config().value("url", "");
    while (!url_.empty() && url_.back() == '/') url_.pop_back();
    api_key_ = config().value("api_key", "");
  }

 private:
  using Run = Async<json> (*)(Desk&, Context&, const json&);

  void add(const std::string& name, Run run) {
    async_activity(name, [this, run](Context& context, const json& input) { return run(*this, context, input); });
  }
  Async<json> book(Context& context, Effect effect, json input) override {
    return apply(context, std::move(effect), std::move(input));
  }
  HttpClient& client() override { return http(); }
  const std::string& url() const override { return url_; }
  const std::string& api_key() const override { return api_key_; }
  Rule rule(const std::string& kind) const override {
    const json rules = config().value("conflicts", json::object());
    return kRules.at(rules.value(kind, kDefaults.at(kind)));
  }

  std::string url_, api_key_;
};

}  // namespace
}  // namespace skald::plugin::erp

SKALD_PLUGIN(skald::plugin::erp::Erp)
