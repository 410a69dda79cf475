#pragma once

namespace skald::lua {

// The text of modules/saga.lua; the build makes it a constant.
extern const char kSagaSource[];

}  // namespace skald::lua
