#include "plugins/sdk/circuit_breaker.h"

#include <algorithm>

namespace skald::plugin {
namespace {

constexpr CircuitBreaker::Span kWhileProbing(1000);

}  // namespace

void CircuitBreaker::become(State state) {
  state_ = state;
  failures_ = 0;
  ++period_;
}

CircuitBreaker::Span CircuitBreaker::shut_for(Time now) const {
  if (state_ == State::kProbing) return std::min(open_, kWhileProbing);
  if (state_ == State::kClosed || now >= until_) return Span(0);
  return std::chrono::ceil<Span>(until_ - now);
}

CircuitBreaker::Pass CircuitBreaker::admit(Time now) {
  if (const Span wait = shut_for(now); wait > Span(0)) return {false, wait, period_};
  if (state_ == State::kOpen) become(State::kProbing);
  return {true, Span(0), period_};
}

void CircuitBreaker::record(const Pass& pass, Outcome outcome, Time now) {
  if (pass.period != period_ || most_ == 0) return;
  if (state_ == State::kProbing) {
    if (outcome == Outcome::kFailure) until_ = now + open_;
    return become(outcome == Outcome::kSuccess ? State::kClosed : State::kOpen);
  }
  if (outcome == Outcome::kSuccess) failures_ = 0;
  if (outcome != Outcome::kFailure || ++failures_ < most_) return;
  until_ = now + open_;
  become(State::kOpen);
}

}  // namespace skald::plugin
