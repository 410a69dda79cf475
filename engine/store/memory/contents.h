#pragma once

#include <memory>

#include "engine/store/contents.h"
#include "engine/store/memory/memory_disk.h"

namespace skald::store {

// All that is on the disk, whether a store is open on it or not. The disk must outlive it.
std::unique_ptr<Contents> contents_of(MemoryDisk& disk, const PageLimits& limits);

}  // namespace skald::store
