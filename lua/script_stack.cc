#include "lua/script_stack.h"

#include <sys/mman.h>
#include <unistd.h>

#include <new>
#include <vector>

#if defined(__x86_64__)
#define SKALD_SWITCHES_BY_HAND 1
#else
#include <ucontext.h>
#endif
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif
#if defined(SKALD_THREAD_SANITIZER)
#include <sanitizer/tsan_interface.h>
#endif

#if defined(SKALD_SWITCHES_BY_HAND)
// Saves what a called function must keep, and the stack's pointer in *rdi; goes on with the stack at rsi.
asm(R"(
.text
.type skald_switch_stack,@function
skald_switch_stack:
  .cfi_startproc
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  subq $8, %rsp
  stmxcsr (%rsp)
  fnstcw 4(%rsp)
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  ldmxcsr (%rsp)
  fldcw 4(%rsp)
  addq $8, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
  .cfi_endproc
.size skald_switch_stack,.-skald_switch_stack

.type skald_begin_stack,@function
skald_begin_stack:
  .cfi_startproc
  .cfi_undefined rip
  subq $8, %rsp
  movq %rbx, %rdi
  callq *%r12
  ud2
  .cfi_endproc
.size skald_begin_stack,.-skald_begin_stack
)");
extern "C" {
void skald_switch_stack(void** left, void* entered);
void skald_begin_stack();
}
#endif

namespace skald::lua {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(SKALD_THREAD_SANITIZER)
constexpr size_t kStackBytes = 8 << 20;
#else
// Lua's own limit is 200 nested calls of C functions. Only what was used takes memory.
constexpr size_t kStackBytes = 1 << 20;
#endif
constexpr size_t kMostIdle = 8;  // a thread

std::vector<std::unique_ptr<ScriptStack>>& idle_stacks() {
  thread_local std::vector<std::unique_ptr<ScriptStack>> idle;
  return idle;
}

}  // namespace

// The stack's memory, and where each side goes on.
struct ScriptStack::Context {
  Context() {
    const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    bytes = kStackBytes + page;
    void* mapped = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (mapped == MAP_FAILED) throw std::bad_alloc();
    memory = static_cast<char*>(mapped);
    mprotect(memory, page, PROT_NONE);  // below the stack's end: what runs over it stops here
    bottom = memory + page;
  }
  ~Context() { munmap(memory, bytes); }

  size_t bytes;
  char* memory;
  char* bottom;
#if defined(SKALD_SWITCHES_BY_HAND)
  void* caller = nullptr;
  void* script = nullptr;
#else
  ucontext_t caller;
  ucontext_t script;
#endif
#if defined(__SANITIZE_ADDRESS__)
  void* caller_fake = nullptr;
  void* script_fake = nullptr;
  const void* caller_bottom = nullptr;
  size_t caller_bytes = 0;
#endif
#if defined(SKALD_THREAD_SANITIZER)
  void* script_fiber = __tsan_create_fiber(0);
  void* caller_fiber = nullptr;
#endif
};

std::unique_ptr<ScriptStack> ScriptStack::take() {
  auto& idle = idle_stacks();
  if (idle.empty()) return std::unique_ptr<ScriptStack>(new ScriptStack());
  std::unique_ptr<ScriptStack> stack = std::move(idle.back());
  idle.pop_back();
  return stack;
}

void ScriptStack::give_back(std::unique_ptr<ScriptStack> stack) {
  auto& idle = idle_stacks();
  if (idle.size() < kMostIdle) idle.push_back(std::move(stack));
}

ScriptStack::ScriptStack() : context_(std::make_unique<Context>()) {
#if defined(SKALD_SWITCHES_BY_HAND)
  // What skald_switch_stack takes off: control words, six registers, where it returns to.
  auto** top = reinterpret_cast<void**>(context_->bottom + kStackBytes);
  *--top = nullptr;
  *--top = reinterpret_cast<void*>(&skald_begin_stack);
  *--top = nullptr;                               // rbp
  *--top = this;                                  // rbx
  *--top = reinterpret_cast<void*>(&begin);       // r12
  for (int i = 0; i < 3; ++i) *--top = nullptr;   // r13 to r15
  *--top = reinterpret_cast<void*>(0x037f00001f80);  // the usual x87 and SSE control words
  context_->script = top;
#else
  getcontext(&context_->script);
  context_->script.uc_stack.ss_sp = context_->bottom;
  context_->script.uc_stack.ss_size = kStackBytes;
  context_->script.uc_link = nullptr;
  static constexpr auto entry = [](unsigned high, unsigned low) {
    begin(reinterpret_cast<ScriptStack*>((static_cast<uintptr_t>(high) << 32) | low));
  };
  const auto self = reinterpret_cast<uintptr_t>(this);
  makecontext(&context_->script, reinterpret_cast<void (*)()>(+entry), 2, static_cast<unsigned>(self >> 32),
              static_cast<unsigned>(self));
#endif
}

ScriptStack::~ScriptStack() {
#if defined(SKALD_THREAD_SANITIZER)
  __tsan_destroy_fiber(context_->script_fiber);
#endif
}

// Where the stack begins: it runs body after body, and never returns.
void ScriptStack::begin(ScriptStack* self) {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(nullptr, &self->context_->caller_bottom, &self->context_->caller_bytes);
#endif
  while (true) {
    self->body_(self->argument_);
    self->ended_ = true;
    self->leave();
  }
}

bool ScriptStack::run(Body body, void* argument) {
  body_ = body;
  argument_ = argument;
  ended_ = false;
  return enter();
}

bool ScriptStack::go_on() { return enter(); }

void ScriptStack::suspend() { leave(); }

bool ScriptStack::enter() {
  Context& context = *context_;
  running_ = true;
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(&context.caller_fake, context.bottom, kStackBytes);
#endif
#if defined(SKALD_THREAD_SANITIZER)
  context.caller_fiber = __tsan_get_current_fiber();
  __tsan_switch_to_fiber(context.script_fiber, 0);
#endif
#if defined(SKALD_SWITCHES_BY_HAND)
  skald_switch_stack(&context.caller, context.script);
#else
  swapcontext(&context.caller, &context.script);
#endif
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(context.caller_fake, nullptr, nullptr);
#endif
  running_ = false;
  return ended_;
}

void ScriptStack::leave() {
  Context& context = *context_;
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(&context.script_fake, context.caller_bottom, context.caller_bytes);
#endif
#if defined(SKALD_THREAD_SANITIZER)
  __tsan_switch_to_fiber(context.caller_fiber, 0);
#endif
#if defined(SKALD_SWITCHES_BY_HAND)
  skald_switch_stack(&context.script, context.caller);
#else
  swapcontext(&context.script, &context.caller);
#endif
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(context.script_fake, &context.caller_bottom, &context.caller_bytes);
#endif
}

}  // namespace skald::lua
