#pragma once

namespace skald::base {

// Skald's version, for example "0.1.0".
extern const char* const kVersion;

}  // namespace skald::base
