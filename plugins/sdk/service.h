#pragma once

namespace skald::plugin {

// What a plugin has made for itself and has to stop.
class Service {
 public:
  virtual ~Service() = default;
  // Ends all waits for it, and those that come later. Thread-safe; does not wait for those who waited.
  virtual void stop() = 0;
};

}  // namespace skald::plugin
