#pragma once

#include <optional>
#include <string>

#include <nlohmann/json.hpp>

#include "plugins/sdk/effect_store.h"

namespace skald::plugin::logistics {

// A sandbox carrier: somebody else's waybills, in tables of its own. It does what it is asked under an idempotency key
// once. A waybill is open, then cancelled or delivered. Refusals are ActivityErrors that are not to be retried.
class Carrier {
 public:
  explicit Carrier(EffectStore& db) : db_(db) {}
  static void create_tables(EffectStore& db);

  // What was done under this key: what to ask before anything is asked for again.
  std::optional<nlohmann::json> find(const std::string& key);

  nlohmann::json create(const std::string& key, const std::string& account, const std::string& country);
  // {"found": false} if there never was such a waybill. One that is cancelled before it is made can never be made: its
  // key is taken, even from one who makes it at this moment.
  nlohmann::json cancel(const std::string& key, const std::string& waybill);
  nlohmann::json deliver(const std::string& key, const std::string& waybill);

 private:
  nlohmann::json record(const std::string& key, nlohmann::json answer);
  nlohmann::json end(const std::string& key, const std::string& waybill, const std::string& state,
                     const std::string& refused_after, const std::string& refusal);

  EffectStore& db_;
};

}  // namespace skald::plugin::logistics
