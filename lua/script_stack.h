#pragma once

#include <cstddef>
#include <memory>

namespace skald::lua {

// A C stack on which scripts run. Lua can suspend Lua code; what a C function does for a script, and the Lua code that
// it calls, can only be suspended together with the stack it is on. Such work may go on on another thread.
class ScriptStack {
 public:
  using Body = void (*)(void*);

  // A stack of its own; those that were given back are used again.
  static std::unique_ptr<ScriptStack> take();
  // Of a stack whose body has ended.
  static void give_back(std::unique_ptr<ScriptStack> stack);

  ~ScriptStack();
  ScriptStack(const ScriptStack&) = delete;
  ScriptStack& operator=(const ScriptStack&) = delete;

  // Runs body(argument) on this stack. False if it was suspended; then go_on continues it. No exception may leave it.
  bool run(Body body, void* argument);
  bool go_on();
  // From within the body: the call of run or go_on returns.
  void suspend();

  // Whether the calling code runs on this stack.
  bool running() const { return running_; }

 private:
  struct Context;

  ScriptStack();
  static void begin(ScriptStack* self);
  bool enter();
  void leave();

  const std::unique_ptr<Context> context_;
  Body body_ = nullptr;
  void* argument_ = nullptr;
  bool running_ = false;
  bool ended_ = true;
};

}  // namespace skald::lua
