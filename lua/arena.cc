#include "lua/arena.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace skald::lua {
namespace {

constexpr size_t kFirstChunkBytes = 16 << 10;
constexpr size_t kLeastChunkBytes = 4 << 10;
constexpr size_t kLargestChunkBytes = 256 << 10;
// A new chunk is this part of what there is: little lies idle in runs that wait.
constexpr size_t kGrowthShare = 8;
// One block may take this part of the limit: comparing and joining texts is work that no instruction count sees.
constexpr size_t kLargestBlockShare = 4;

constexpr size_t class_of(size_t size, size_t grain) { return (size - 1) / grain; }

}  // namespace

Arena::Arena(size_t limit_bytes, void* owner)
    : owner_(owner), limit_(limit_bytes), next_chunk_bytes_(kFirstChunkBytes) {}

Arena::~Arena() {
  while (chunks_ != nullptr) {
    Chunk* next = chunks_->next;
    std::free(chunks_);
    chunks_ = next;
  }
  while (large_ != nullptr) {
    LargeBlock* next = large_->next;
    std::free(large_);
    large_ = next;
  }
}

void* Arena::allocate(void* arena, void* block, size_t old_size, size_t new_size) {
  Arena& self = *static_cast<Arena*>(arena);
  if (block == nullptr) old_size = 0;  // Lua passes a type tag here.
  if (new_size == 0) {
    if (block != nullptr) self.give_back(block, old_size);
    return nullptr;
  }
  if (new_size > old_size) {
    if (!self.admits(new_size - old_size, new_size)) return nullptr;
    self.allocated_ += new_size;
  }
  const bool same_class = block != nullptr && old_size > 0 && old_size <= kLargestSmall && new_size <= kLargestSmall &&
                          class_of(old_size, kGrain) == class_of(new_size, kGrain);
  if (same_class) {
    self.used_ += new_size - old_size;
    return block;
  }
  void* fresh = self.take(new_size);
  if (fresh == nullptr) return nullptr;
  if (block != nullptr) {
    std::memcpy(fresh, block, std::min(old_size, new_size));
    self.give_back(block, old_size);
  }
  return fresh;
}

bool Arena::admits(size_t growth, size_t size) {
  if (host_work_ > 0) return true;
  const bool fits = used_ + growth <= limit_ && size <= limit_ / kLargestBlockShare;
  const bool watched = size >= kWatchedBlock || used_ + growth > watch_from_ || !fits;
  if (watched && watch_ != nullptr && !watch_(*this)) return false;
  return fits;
}

void* Arena::take(size_t size) {
  void* block = size <= kLargestSmall ? take_small(size) : take_large(size);
  if (block != nullptr) used_ += size;
  return block;
}

void* Arena::take_small(size_t size) {
  const size_t index = class_of(size, kGrain);
  if (free_[index] != nullptr) {
    FreeBlock* block = free_[index];
    free_[index] = block->next;
    return block;
  }
  const size_t bytes = (index + 1) * kGrain;
  if (static_cast<size_t>(fresh_end_ - fresh_) < bytes) {
    auto* chunk = static_cast<Chunk*>(std::malloc(next_chunk_bytes_));
    if (chunk == nullptr) return nullptr;
    chunk->next = chunks_;
    chunks_ = chunk;
    fresh_ = reinterpret_cast<char*>(chunk) + kGrain;
    fresh_end_ = reinterpret_cast<char*>(chunk) + next_chunk_bytes_;
    reserved_ += next_chunk_bytes_;
    next_chunk_bytes_ = std::clamp(reserved_ / kGrowthShare, kLeastChunkBytes, kLargestChunkBytes);
  }
  char* block = fresh_;
  fresh_ += bytes;
  return block;
}

void* Arena::take_large(size_t size) {
  auto* block = static_cast<LargeBlock*>(std::malloc(sizeof(LargeBlock) + size));
  if (block == nullptr) return nullptr;
  link(block);
  if (size >= kBigBlock) ++big_;
  reserved_ += size;
  return block + 1;
}

void Arena::give_back(void* block, size_t size) {
  if (size == 0) return;
  used_ -= size;
  if (size <= kLargestSmall) {
    auto* freed = static_cast<FreeBlock*>(block);
    const size_t index = class_of(size, kGrain);
    freed->next = free_[index];
    free_[index] = freed;
    return;
  }
  LargeBlock* large = static_cast<LargeBlock*>(block) - 1;
  unlink(large);
  if (size >= kBigBlock) --big_;
  reserved_ -= size;
  std::free(large);
}

void Arena::link(LargeBlock* block) {
  block->previous = nullptr;
  block->next = large_;
  if (large_ != nullptr) large_->previous = block;
  large_ = block;
}

void Arena::unlink(LargeBlock* block) {
  if (block->previous != nullptr) block->previous->next = block->next;
  if (block->next != nullptr) block->next->previous = block->previous;
  if (large_ == block) large_ = block->next;
}

}  // namespace skald::lua
