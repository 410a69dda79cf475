#pragma once

#include <optional>
#include <string>
#include <vector>

#include "plugins/sdk/effect_request.h"

namespace skald::plugin {

// Whose effect it is.
struct Claim {
  std::string holder, workflow_id, run_id;  // when it has let go, the run that did
  int64_t generation = 1;
  int64_t closed_ns = -1;  // when it let go: its later actions that were scheduled before are late; -1: it holds

  bool holds() const { return closed_ns < 0; }
  bool belongs_to(const Asker& asker) const {
    return holder == asker.holder() || holder == "workflow " + asker.workflow_id;
  }
  bool refuses(const Asker& asker) const {
    return !holds() && (run_id == asker.run_id || asker.scheduled_ns <= closed_ns);
  }
};

// What is known of one key.
struct EffectRecord {
  enum State : int64_t {
    kDone = 1,
    kUndone = 2,
    kRefused = 3,  // its compensation came first: it was never done
    kAsked = 4,    // its partner was asked: he may have done it. `outcome` is what was decided before
  };

  std::string key;
  int64_t state = kDone;
  std::string binding, outcome;
  std::string first_name;  // what the first generation is called in the plugin's tables; empty: as its key
  int64_t generation = 1;
  std::vector<Claim> claims;
  int64_t version = 0;  // 0: it is not in the tables
  int64_t recorded_ms = 0;
  bool has_others = false;

  bool stands() const { return state == kDone || state == kAsked; }
  std::string name(int64_t of_generation) const;
  Claim* claim_of(const Asker& asker);
};

// The ledger's tables: what was done under which key, and who holds it. Used within the ledger's transactions.
class EffectBook {
 public:
  explicit EffectBook(LedgerStore& db);

  // Makes the tables, or brings those of an older ledger up to date.
  static void create_tables(LedgerStore& db);

  // `former` is what an older ledger called it: what is found there is taken over.
  std::optional<EffectRecord> find(const std::string& key, const std::string& former = "");
  // What an effect is called as it was done last; empty if it is not known. Writes nothing.
  std::string look_up_name(const std::string& key, const std::string& former);
  void write(EffectRecord& record);
  bool knows_former() const { return knows_former_; }

 private:
  std::optional<EffectRecord> read(const std::string& key);
  static Claim former_claim(const EffectRecord& record);

  LedgerStore& db_;
  bool knows_former_ = false;
};

}  // namespace skald::plugin
