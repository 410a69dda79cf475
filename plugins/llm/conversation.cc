#include "plugins/llm/conversation.h"

#include <charconv>

#include "plugins/llm/clock.h"

namespace skald::plugin::llm {

using nlohmann::json;

namespace {

// One that nobody goes on with is forgotten, with the personal data in it.
constexpr int64_t kKeptMs = int64_t{30} * 24 * 3600 * 1000;

}  // namespace

std::string conversation_name(const std::string& decision_id, int64_t round) {
  return decision_id + "." + std::to_string(round);
}

int64_t round_of(const std::string& conversation, const std::string& decision_id) {
  const std::string_view name = conversation;
  if (!name.starts_with(decision_id) || name.size() < decision_id.size() + 2 || name[decision_id.size()] != '.')
    return 0;
  const std::string_view digits = name.substr(decision_id.size() + 1);
  int64_t round = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), round);
  return error == std::errc() && end == digits.data() + digits.size() && round > 0 ? round : 0;
}

void create_conversation_table(EffectStore& db) {
  db.run(
      R"sql(CREATE TABLE IF NOT EXISTS conversations (
            decision_id VARCHAR(64) NOT NULL,
            round BIGINT NOT NULL,
            kept_ms BIGINT NOT NULL,
            state TEXT NOT NULL,
            PRIMARY KEY (decision_id, round)))sql");
  db.run("CREATE INDEX IF NOT EXISTS conversations_by_age ON conversations (kept_ms)");
}

std::optional<json> find_conversation(EffectStore& db, const std::string& decision_id, int64_t round) {
  const auto rows = db.run("SELECT state FROM conversations WHERE decision_id = ? AND round = ?", {decision_id, round});
  if (rows.empty()) return std::nullopt;
  return json::parse(text(rows[0][0]));
}

json keep_conversation(EffectStore& db, const std::string& decision_id, int64_t round, json state) {
  if (auto before = find_conversation(db, decision_id, round)) return *std::move(before);
  const int64_t now = now_ms();
  db.run("DELETE FROM conversations WHERE kept_ms < ?", {now - kKeptMs});
  db.run("INSERT INTO conversations (decision_id, round, kept_ms, state) VALUES (?, ?, ?, ?)",
         {decision_id, round, now, state.dump(-1, ' ', false, json::error_handler_t::replace)});
  return state;
}

void end_conversations(EffectStore& db, const std::string& decision_id) {
  db.run("DELETE FROM conversations WHERE decision_id = ?", {decision_id});
}

}  // namespace skald::plugin::llm
