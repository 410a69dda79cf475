#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "plugins/sdk/effect_store.h"

namespace skald::plugin::llm {

using Embedding = std::vector<float>;

// Of length 1, so that a product is the cosine. Of all zeros it stays so.
Embedding normalized(Embedding embedding);
std::string packed(const Embedding& embedding);  // base64 of little-endian floats
Embedding unpacked(std::string_view text);

struct Passage {
  std::string document, title, source, text;
  int64_t chunk = 0;
  double score = 0;
};
nlohmann::json to_json(const Passage& passage);  // with its text

// What there is to be learnt.
struct Document {
  std::string namespace_name, document, title, source;
  std::string hash;   // of all of it and the embeddings' model
  std::string model;  // of the embeddings
};

// Documents in chunks with their embeddings, by namespace: in the plugin's tables, and in memory for the search. The
// functions with a store are parts of one transaction, on the ledger's thread; search() is thread-safe.
class Knowledge {
 public:
  static void create_tables(EffectStore& db);

  static std::string hash_of(EffectStore& db, const std::string& namespace_name, const std::string& document);
  // In place of what there was under its name.
  static void learn(EffectStore& db, const Document& document, const std::vector<std::string>& chunks,
                    const std::vector<Embedding>& embeddings);
  // How many chunks there were.
  static int64_t forget(EffectStore& db, const std::string& namespace_name, const std::string& document);

  // Brings the memory up to what the tables say, be it written by another process. Returns the revision: another one
  // after every change.
  int64_t refresh(EffectStore& db, const std::string& namespace_name);
  void refresh_all(EffectStore& db);

  // The nearest `top` whose score is at least `least`, of those whose embeddings are of this model, best first.
  std::vector<Passage> search(const std::string& namespace_name, const std::string& model, Embedding query, size_t top,
                              double least) const;

 private:
  struct Chunk {
    std::string text;
    Embedding embedding;
  };
  struct Known {
    std::string title, source, model;
    int64_t revision = 0;
    std::vector<Chunk> chunks;
  };
  struct Shelf {  // of one namespace; never changed, but replaced
    int64_t revision = 0;
    std::map<std::string, std::shared_ptr<const Known>> documents;
  };
  std::shared_ptr<const Shelf> shelf(const std::string& namespace_name) const;

  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<const Shelf>> shelves_;
};

}  // namespace skald::plugin::llm
