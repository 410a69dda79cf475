#include "engine/base/version.h"

namespace skald::base {

const char* const kVersion = SKALD_VERSION;

}  // namespace skald::base
