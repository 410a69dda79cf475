#include "plugins/llm/knowledge.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include <openssl/evp.h>

#include "plugins/llm/clock.h"

namespace skald::plugin::llm {
namespace {

using nlohmann::json;

// The next number of a namespace's changes, which is never given twice, be it that a change is undone: so memory that
// has a revision has its documents. The row is locked until the commit.
int64_t next_revision(EffectStore& db, const std::string& ns) {
  const auto rows = db.run("SELECT revision FROM knowledge_revisions WHERE namespace = ? FOR UPDATE", {ns});
  const int64_t next = std::max(now_ms(), rows.empty() ? 1 : number(rows[0][0]) + 1);
  if (rows.empty()) {
    db.run("INSERT INTO knowledge_revisions (namespace, revision) VALUES (?, ?)", {ns, next});
  } else {
    db.run("UPDATE knowledge_revisions SET revision = ? WHERE namespace = ?", {next, ns});
  }
  return next;
}

void remove(EffectStore& db, const std::string& ns, const std::string& document) {
  db.run("DELETE FROM knowledge_chunks WHERE namespace = ? AND document = ?", {ns, document});
  db.run("DELETE FROM knowledge_documents WHERE namespace = ? AND document = ?", {ns, document});
}

}  // namespace

Embedding normalized(Embedding embedding) {
  double sum = 0;
  for (const float x : embedding) sum += static_cast<double>(x) * x;
  if (sum <= 0) return embedding;
  const double length = std::sqrt(sum);
  for (float& x : embedding) x = static_cast<float>(x / length);
  return embedding;
}

std::string packed(const Embedding& embedding) {
  const size_t bytes = embedding.size() * sizeof(float);
  std::string out((bytes + 2) / 3 * 4 + 1, '\0');
  const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                   reinterpret_cast<const unsigned char*>(embedding.data()), static_cast<int>(bytes));
  out.resize(static_cast<size_t>(size));
  return out;
}

Embedding unpacked(std::string_view text) {
  std::vector<unsigned char> bytes(text.size() / 4 * 3 + 3);
  const int size =
      EVP_DecodeBlock(bytes.data(), reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
  // The padding counts as bytes here; a float has four, so what is over is padding.
  Embedding out(size < 0 ? 0 : static_cast<size_t>(size) / sizeof(float));
  std::memcpy(out.data(), bytes.data(), out.size() * sizeof(float));
  return out;
}

json to_json(const Passage& passage) {
  return {{"document", passage.document}, {"title", passage.title}, {"source", passage.source},
          {"chunk", passage.chunk},       {"text", passage.text},   {"score", passage.score}};
}

void Knowledge::create_tables(EffectStore& db) {
  db.run(
      R"sql(CREATE TABLE IF NOT EXISTS knowledge_documents (
            namespace VARCHAR(255) NOT NULL,
            document VARCHAR(1000) NOT NULL,
            title TEXT NOT NULL,
            source TEXT NOT NULL,
            hash VARCHAR(64) NOT NULL,
            model VARCHAR(255) NOT NULL,
            revision BIGINT NOT NULL,
            PRIMARY KEY (namespace, document)))sql");
  db.run(
      R"sql(CREATE TABLE IF NOT EXISTS knowledge_chunks (
            namespace VARCHAR(255) NOT NULL,
            document VARCHAR(1000) NOT NULL,
            chunk BIGINT NOT NULL,
            passage TEXT NOT NULL,
            embedding TEXT NOT NULL,
            PRIMARY KEY (namespace, document, chunk)))sql");
  db.run(
      R"sql(CREATE TABLE IF NOT EXISTS knowledge_revisions (
            namespace VARCHAR(255) NOT NULL PRIMARY KEY,
            revision BIGINT NOT NULL))sql");
}

std::string Knowledge::hash_of(EffectStore& db, const std::string& ns, const std::string& document) {
  const auto rows = db.run("SELECT hash FROM knowledge_documents WHERE namespace = ? AND document = ?", {ns, document});
  return rows.empty() ? "" : text(rows[0][0]);
}

void Knowledge::learn(EffectStore& db, const Document& d, const std::vector<std::string>& chunks,
                      const std::vector<Embedding>& embeddings) {
  const int64_t revision = next_revision(db, d.namespace_name);
  remove(db, d.namespace_name, d.document);
  db.run(
      R"sql(INSERT INTO knowledge_documents (namespace, document, title, source, hash, model, revision)
          VALUES (?, ?, ?, ?, ?, ?, ?))sql",
      {d.namespace_name, d.document, d.title, d.source, d.hash, d.model, revision});
  for (size_t i = 0; i < chunks.size(); ++i) {
    db.run("INSERT INTO knowledge_chunks (namespace, document, chunk, passage, embedding) VALUES (?, ?, ?, ?, ?)",
           {d.namespace_name, d.document, static_cast<int64_t>(i), chunks[i], packed(embeddings[i])});
  }
}

int64_t Knowledge::forget(EffectStore& db, const std::string& ns, const std::string& document) {
  const int64_t chunks = number(
      db.run("SELECT COUNT(*) FROM knowledge_chunks WHERE namespace = ? AND document = ?", {ns, document})[0][0]);
  if (hash_of(db, ns, document).empty()) return 0;
  next_revision(db, ns);
  remove(db, ns, document);
  return chunks;
}

int64_t Knowledge::refresh(EffectStore& db, const std::string& ns) {
  const auto rows = db.run("SELECT revision FROM knowledge_revisions WHERE namespace = ?", {ns});
  const int64_t revision = rows.empty() ? 0 : number(rows[0][0]);
  const auto before = shelf(ns);
  if (before != nullptr && before->revision == revision) return revision;
  auto after = std::make_shared<Shelf>();
  after->revision = revision;
  for (const Row& row :
       db.run("SELECT document, revision, title, source, model FROM knowledge_documents WHERE namespace = ?", {ns})) {
    const std::string& document = text(row[0]);
    if (before != nullptr) {
      const auto same = before->documents.find(document);
      if (same != before->documents.end() && same->second->revision == number(row[1])) {
        after->documents.insert(*same);
        continue;
      }
    }
    auto known = std::make_shared<Known>(Known{text(row[2]), text(row[3]), text(row[4]), number(row[1]), {}});
    for (Row& chunk : db.run(R"sql(SELECT passage, embedding
            FROM knowledge_chunks
            WHERE namespace = ? AND document = ?
            ORDER BY chunk)sql",
                             {ns, document}))
      known->chunks.push_back({std::get<std::string>(std::move(chunk[0])), unpacked(text(chunk[1]))});
    after->documents[document] = std::move(known);
  }
  const std::lock_guard lock(mutex_);
  shelves_[ns] = std::move(after);
  return revision;
}

void Knowledge::refresh_all(EffectStore& db) {
  for (const Row& row : db.run("SELECT namespace FROM knowledge_revisions")) refresh(db, text(row[0]));
}

std::shared_ptr<const Knowledge::Shelf> Knowledge::shelf(const std::string& ns) const {
  const std::lock_guard lock(mutex_);
  const auto found = shelves_.find(ns);
  return found == shelves_.end() ? nullptr : found->second;
}

std::vector<Passage> Knowledge::search(const std::string& ns, const std::string& model, Embedding query, size_t top,
                                       double least) const {
  struct Hit {
    double score;
    const std::string* document;
    const Known* known;
    size_t chunk;
  };
  const auto all = shelf(ns);
  if (all == nullptr) return {};
  query = normalized(std::move(query));
  std::vector<Hit> hits;
  for (const auto& [document, known] : all->documents) {
    if (known->model != model) continue;
    for (size_t i = 0; i < known->chunks.size(); ++i) {
      const Embedding& embedding = known->chunks[i].embedding;
      if (embedding.size() != query.size()) continue;
      float product = 0;
      for (size_t k = 0; k < query.size(); ++k) product += embedding[k] * query[k];
      if (product >= least) hits.push_back({product, &document, known.get(), i});
    }
  }
  const auto better = [](const Hit& a, const Hit& b) {
    if (a.score != b.score) return a.score > b.score;
    return *a.document != *b.document ? *a.document < *b.document : a.chunk < b.chunk;
  };
  const size_t kept = std::min(top, hits.size());
  std::partial_sort(hits.begin(), hits.begin() + static_cast<std::ptrdiff_t>(kept), hits.end(), better);
  std::vector<Passage> out;
  for (size_t i = 0; i < kept; ++i) {
    const Hit& hit = hits[i];
    out.push_back({*hit.document, hit.known->title, hit.known->source, hit.known->chunks[hit.chunk].text,
                   static_cast<int64_t>(hit.chunk), hit.score});
  }
  return out;
}

}  // namespace skald::plugin::llm
