#include "tests/sim/clerks.h"

#include <utility>

namespace skald::sim {
namespace {

using nlohmann::json;

constexpr char kDecide[] = "decide";

}  // namespace

Clerks::Clerks(base::SimulatedWorld& world, Advisor& advisor, Customers& customers, uint64_t seed)
    : world_(world), customers_(customers), random_(base::make_seeded_random(seed)) {
  advisor.on_question([this](const Advisor::Decision& decision) { hear(decision); });
}

void Clerks::hear(const Advisor::Decision& decision) {
  if (happens(0.1)) {
    const absl::Time when = world_.clock().now() + random_->unit() * kPatience;
    const json no_answer = {{"decision_id", decision.id}, {"verdict", "perhaps"}, {"by", "Otto"}};
    customers_.write(decision.about, kDecide, no_answer, when, [] {});
  }
  const double chance = random_->unit();
  if (chance < 0.15) return;
  if (chance < 0.3) return say(decision, "Ida", kPatience, absl::Minutes(10));
  say(decision, "Ida", absl::ZeroDuration(), kPatience);
  if (happens(0.25)) say(decision, "Bo", absl::ZeroDuration(), kPatience);
}

void Clerks::say(const Advisor::Decision& decision, const std::string& by, absl::Duration after,
                 absl::Duration within) {
  const std::string verdict = happens(0.6) ? "approved" : "rejected";
  auto& words = words_[decision.id];
  words.push_back({by, verdict, {}});
  const json answer = {{"decision_id", decision.id}, {"verdict", verdict}, {"by", by}, {"reason", "seen"}};
  customers_.write(
      decision.about, kDecide, answer, world_.clock().now() + after + random_->unit() * within,
      [this, id = decision.id, place = words.size() - 1] { words_[id][place].acknowledged = world_.clock().now(); });
}

const std::vector<Clerks::Word>& Clerks::words(const std::string& decision) const {
  static const std::vector<Word> none;
  const auto found = words_.find(decision);
  return found == words_.end() ? none : found->second;
}

}  // namespace skald::sim
