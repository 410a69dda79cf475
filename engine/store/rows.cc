#include "engine/store/rows.h"

namespace skald::store {

int slot_of(std::string_view namespace_id, std::string_view workflow_id) {
  // FNV-1a, 64 bits. Stored data depends on it: it never changes.
  uint64_t hash = 0xcbf29ce484222325ULL;
  const auto add = [&hash](unsigned char byte) { hash = (hash ^ byte) * 0x100000001b3ULL; };
  for (const char byte : namespace_id) add(static_cast<unsigned char>(byte));
  add(0);
  for (const char byte : workflow_id) add(static_cast<unsigned char>(byte));
  return static_cast<int>(hash % kSlots);
}

}  // namespace skald::store
