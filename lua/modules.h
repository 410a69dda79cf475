#pragma once

namespace skald::lua {

// The texts of modules/*.lua; the build makes them constants.
extern const char kSagaSource[];
extern const char kCheckSource[];

}  // namespace skald::lua
