#include "plugins/sdk/effect_book.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "plugins/sdk/effect_id.h"

namespace skald::plugin {
namespace {

constexpr std::string_view kEffects = R"(
  CREATE TABLE IF NOT EXISTS effects (
    effect_key VARCHAR(2048) NOT NULL PRIMARY KEY,
    state INTEGER NOT NULL,
    binding TEXT NOT NULL,
    outcome TEXT NOT NULL,
    first_name VARCHAR(2048) NOT NULL DEFAULT '',
    generation BIGINT NOT NULL DEFAULT 1,
    holder VARCHAR(1024) NOT NULL DEFAULT '',
    workflow_id VARCHAR(1000) NOT NULL DEFAULT '',
    run_id VARCHAR(255) NOT NULL DEFAULT '',
    closed_ns BIGINT NOT NULL DEFAULT -1,
    others BIGINT NOT NULL DEFAULT 0,
    version BIGINT NOT NULL DEFAULT 1,
    recorded_ms BIGINT NOT NULL DEFAULT 0
  ) WITHOUT ROWID)";

// Columns that ledgers of the first version do not have.
constexpr std::pair<std::string_view, std::string_view> kAdded[] = {
    {"first_name", "ALTER TABLE effects ADD COLUMN first_name VARCHAR(2048) NOT NULL DEFAULT ''"},
    {"generation", "ALTER TABLE effects ADD COLUMN generation BIGINT NOT NULL DEFAULT 1"},
    {"holder", "ALTER TABLE effects ADD COLUMN holder VARCHAR(1024) NOT NULL DEFAULT ''"},
    {"workflow_id", "ALTER TABLE effects ADD COLUMN workflow_id VARCHAR(1000) NOT NULL DEFAULT ''"},
    {"run_id", "ALTER TABLE effects ADD COLUMN run_id VARCHAR(255) NOT NULL DEFAULT ''"},
    {"closed_ns", "ALTER TABLE effects ADD COLUMN closed_ns BIGINT NOT NULL DEFAULT -1"},
    {"others", "ALTER TABLE effects ADD COLUMN others BIGINT NOT NULL DEFAULT 0"},
    {"version", "ALTER TABLE effects ADD COLUMN version BIGINT NOT NULL DEFAULT 1"},
    {"recorded_ms", "ALTER TABLE effects ADD COLUMN recorded_ms BIGINT NOT NULL DEFAULT "}};  // and this moment

// Those who hold an effect, or have let go of it, beside the one in its row. Only few effects have any.
constexpr std::string_view kClaims = R"(
  CREATE TABLE IF NOT EXISTS effect_claims (
    effect_key VARCHAR(2048) NOT NULL,
    holder VARCHAR(1024) NOT NULL,
    workflow_id VARCHAR(1000) NOT NULL,
    run_id VARCHAR(255) NOT NULL,
    generation BIGINT NOT NULL,
    closed_ns BIGINT NOT NULL
  ))";
constexpr std::string_view kClaimsOfEffect =
    "CREATE INDEX IF NOT EXISTS effect_claims_of_effect ON effect_claims (effect_key)";

constexpr std::string_view kFind = R"(
  SELECT state, binding, outcome, first_name, generation, holder, workflow_id, run_id, closed_ns, others, version,
         recorded_ms
  FROM effects
  WHERE effect_key = ?)";
constexpr std::string_view kFindOthers = R"(
  SELECT holder, workflow_id, run_id, generation, closed_ns
  FROM effect_claims
  WHERE effect_key = ?)";
constexpr std::string_view kInsert = R"(
  INSERT INTO effects (effect_key, state, binding, outcome, first_name, generation, holder, workflow_id, run_id,
                       closed_ns, others, version, recorded_ms)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1, ?))";
constexpr std::string_view kUpdate = R"(
  UPDATE effects
  SET state = ?, binding = ?, outcome = ?, generation = ?, holder = ?, workflow_id = ?, run_id = ?, closed_ns = ?,
      others = ?, recorded_ms = ?, version = version + 1
  WHERE effect_key = ? AND version = ?)";
constexpr std::string_view kDropOthers = "DELETE FROM effect_claims WHERE effect_key = ?";
constexpr std::string_view kAddOther = R"(
  INSERT INTO effect_claims (effect_key, holder, workflow_id, run_id, generation, closed_ns)
  VALUES (?, ?, ?, ?, ?, ?))";

int64_t wall_clock_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

// The workflow id in a key of the first form, namespace / workflow id / step / reference.
std::string workflow_in(const std::string& former) {
  const size_t begin = former.find('/') + 1;
  const std::string escaped = former.substr(begin, former.find('/', begin) - begin);
  std::string out;
  for (size_t at = 0; at < escaped.size(); ++at) {
    if (escaped[at] != '%') {
      out += escaped[at];
    } else {
      out += escaped.compare(at, 3, "%2F") == 0 ? '/' : '%';
      at += 2;
    }
  }
  return out;
}

}  // namespace

// No field of an id begins with '@' and has no '=': so this is no other key's.
std::string EffectRecord::name(int64_t of_generation) const {
  if (of_generation > 1) return key + "/@" + std::to_string(of_generation);
  return first_name.empty() ? key : first_name;
}

Claim* EffectRecord::claim_of(const Asker& asker) {
  Claim* found = nullptr;
  for (Claim& claim : claims) {
    if (claim.belongs_to(asker) && (found == nullptr || claim.holds())) found = &claim;
  }
  return found;
}

// Keys of the first form begin with a namespace, those of this one with '/'.
EffectBook::EffectBook(LedgerStore& db) : db_(db) {
  db_.begin([] { return std::vector<std::string>(); }, true);
  knows_former_ = !db_.run("SELECT effect_key FROM effects WHERE effect_key < '/' LIMIT 1").empty() ||
                  !db_.run("SELECT effect_key FROM effects WHERE effect_key >= '0' LIMIT 1").empty();
  db_.commit();
}

void EffectBook::create_tables(LedgerStore& db) {
  db.run(kEffects);
  for (const auto& [column, sql] : kAdded) {
    if (db.has_column("effects", column)) continue;
    const bool dated = column == "recorded_ms";
    db.run(std::string(sql) + (dated ? std::to_string(wall_clock_ms()) : ""));
  }
  db.run(kClaims);
  db.run(kClaimsOfEffect);
}

std::optional<EffectRecord> EffectBook::find(const std::string& key, const std::string& former) {
  if (auto found = read(key)) return found;
  if (!knows_former_ || former.empty()) return std::nullopt;
  auto found = read(former);
  if (!found) return std::nullopt;
  found->first_name = former;
  found->key = key;
  found->version = 0;
  write(*found);
  return found;
}

std::string EffectBook::look_up_name(const std::string& key, const std::string& former) {
  if (const auto found = read(key)) return found->name(found->generation);
  return knows_former_ && !former.empty() && read(former) ? former : std::string();
}

std::optional<EffectRecord> EffectBook::read(const std::string& key) {
  const auto rows = db_.run(kFind, {key});
  if (rows.empty()) return std::nullopt;
  const Row& row = rows[0];
  EffectRecord record;
  record.key = key;
  record.state = number(row[0]);
  record.binding = text(row[1]);
  record.outcome = text(row[2]);
  record.first_name = text(row[3]);
  record.generation = number(row[4]);
  record.claims.push_back({text(row[5]), text(row[6]), text(row[7]), record.generation, number(row[8])});
  record.has_others = number(row[9]) > 0;
  record.version = number(row[10]);
  record.recorded_ms = number(row[11]);
  if (record.claims[0].holder.empty()) record.claims[0] = former_claim(record);
  if (!record.has_others) return record;
  for (const Row& other : db_.run(kFindOthers, {key}))
    record.claims.push_back({text(other[0]), text(other[1]), text(other[2]), number(other[3]), number(other[4])});
  return record;
}

// The runs of its workflow id hold it, or have let go of it: which of them is not known, nor when; before this ledger
// was brought up to date.
Claim EffectBook::former_claim(const EffectRecord& record) {
  const std::string workflow = workflow_in(record.key);
  return {"workflow " + workflow, workflow, "", 1, record.stands() ? -1 : record.recorded_ms * 1000000};
}

// One who holds it stands in its row, or else one who held it last; the others beside it.
void EffectBook::write(EffectRecord& record) {
  const auto rank = [&record](const Claim& claim) {
    return claim.holds() ? 2 : claim.generation == record.generation ? 1 : 0;
  };
  const auto first_place = std::max_element(record.claims.begin(), record.claims.end(),
                                            [&](const Claim& a, const Claim& b) { return rank(a) < rank(b); });
  std::iter_swap(record.claims.begin(), first_place);
  const Claim& first = record.claims.at(0);
  const auto others = static_cast<int64_t>(record.claims.size()) - 1;
  if (record.version == 0) {
    db_.run(kInsert, {record.key, record.state, record.binding, record.outcome, record.first_name, record.generation,
                      first.holder, first.workflow_id, first.run_id, first.closed_ns, others, wall_clock_ms()});
  } else {
    db_.run(kUpdate, {record.state, record.binding, record.outcome, record.generation, first.holder, first.workflow_id,
                      first.run_id, first.closed_ns, others, wall_clock_ms(), record.key, record.version});
    if (db_.changed() == 0) throw RepeatBatch("somebody else has changed the effect " + record.key, true);
  }
  ++record.version;
  if (record.has_others) db_.run(kDropOthers, {record.key});
  for (size_t i = 1; i < record.claims.size(); ++i) {
    const Claim& claim = record.claims[i];
    db_.run(kAddOther, {record.key, claim.holder, claim.workflow_id, claim.run_id, claim.generation, claim.closed_ns});
  }
  record.has_others = others > 0;
}

}  // namespace skald::plugin
