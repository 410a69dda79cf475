#pragma once

#include <string>

#include "plugins/sdk/plugin.h"

namespace skald::plugin::erp {

// Who is right when a record was changed on both sides.
enum class Rule { kErpWins, kOursWins, kNewestWins, kAsk };

// What the activities work with. Thread-safe.
class Desk {
 public:
  virtual ~Desk() = default;
  // As Plugin's: an effect on our books.
  virtual Async<json> book(Context& context, Effect effect, json input) = 0;
  virtual HttpClient& client() = 0;
  virtual const std::string& url() const = 0;  // without a slash at its end
  virtual const std::string& api_key() const = 0;
  virtual Rule rule(const std::string& kind) const = 0;  // of "items", "stock" or "orders"
};

// What the ERP knows an order or a work order of ours by, so that namespaces do not meet: "default/o-17".
inline std::string erp_reference(const Context& context, const std::string& ours) {
  return effect_key({context.namespace_name, ours});
}

}  // namespace skald::plugin::erp
