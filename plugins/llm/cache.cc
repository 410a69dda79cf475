#include "plugins/llm/cache.h"

namespace skald::plugin::llm {

using nlohmann::json;

void create_cache_table(EffectStore& db) {
  db.run(
      R"sql(CREATE TABLE IF NOT EXISTS cached_answers (
            cache_key VARCHAR(64) NOT NULL PRIMARY KEY,
            expires BIGINT NOT NULL,
            answer TEXT NOT NULL))sql");
  db.run("CREATE INDEX IF NOT EXISTS cached_until ON cached_answers (expires)");
}

std::optional<json> find_cached(EffectStore& db, const std::string& key, int64_t now_ms) {
  const auto rows = db.run("SELECT expires, answer FROM cached_answers WHERE cache_key = ?", {key});
  if (rows.empty() || number(rows[0][0]) <= now_ms) return std::nullopt;
  return json::parse(text(rows[0][1]));
}

void keep_cached(EffectStore& db, const std::string& key, const json& answer, int64_t now_ms, int64_t seconds) {
  db.run("DELETE FROM cached_answers WHERE expires <= ?", {now_ms});
  const int64_t expires = now_ms + seconds * 1000;
  const std::string text = answer.dump(-1, ' ', false, json::error_handler_t::replace);
  db.run("UPDATE cached_answers SET expires = ?, answer = ? WHERE cache_key = ?", {expires, text, key});
  if (db.changed() > 0) return;
  db.run("INSERT INTO cached_answers (cache_key, expires, answer) VALUES (?, ?, ?)", {key, expires, text});
}

}  // namespace skald::plugin::llm
