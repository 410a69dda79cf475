#include "tests/sim/chores.h"

#include <utility>

#include <fmt/core.h>

namespace skald::sim {
namespace {

using nlohmann::json;

constexpr absl::Duration kMorning = absl::Seconds(20);
constexpr absl::Duration kMail = absl::Seconds(60);

}  // namespace

Chores::Chores(base::SimulatedWorld& world, Shop& shop, Customers& customers, const Life& life, uint64_t seed)
    : world_(world), shop_(shop), customers_(customers), life_(life), random_(base::make_seeded_random(seed)) {
  if (life.counts && random_->below(2) == 0) count();
  if (life.deadlines && random_->below(2) == 0) meet_deadlines();
  if (life.mailboxes && random_->below(2) == 0) read_mail();
  if (life.chains && random_->below(2) == 0) walk_chain();
  if (life.branches && random_->below(2) == 0) ship_in_branches();
}

absl::Time Chores::in(absl::Duration after, absl::Duration within) {
  return world_.clock().now() + after + random_->unit() * within;
}

void Chores::count() {
  const int shelves = shelves_["counting"] = static_cast<int>(5 + random_->below(30));
  customers_.place("counting", "counting", {{"shelves", shelves}});
}

void Chores::meet_deadlines() { customers_.place("deadlines", "deadlines", json::object()); }

void Chores::read_mail() {
  customers_.place("mailbox", "mailbox", json::object());
  const int letters = static_cast<int>(3 + random_->below(10));
  for (int letter = 1; letter <= letters; ++letter) send_letter("mailbox", "letter", letter, kMorning, kMail);
  if (life_.bad_signals) {
    for (uint64_t bad = random_->below(4); bad > 0; --bad) send_unreadable("mailbox", "letter", kMail);
  }
  customers_.write("mailbox", "total", letters, in(kMorning + kMail, kMail), [] {});
}

void Chores::walk_chain() {
  if (!life_.carried_signals) customers_.may_hear_twice("chain");
  customers_.place("chain", "chain", {{"id", "chain"}, {"links", 3 + random_->below(6)}});
  for (int letter = 1; letter <= 8; ++letter) send_letter("chain", "letter", letter, absl::ZeroDuration(), absl::Seconds(40));
}

void Chores::ship_in_branches() {
  for (const char* id : {"branches-1", "branches-2", "branches-3"}) {
    json order = customers_.order(id);
    order["looked_into"] = random_->unit() * 2;
    order["refused"] = life_.branches_fail && random_->below(2) == 0;
    customers_.place(id, "branches", std::move(order));
    if (!life_.handlers_fail || random_->below(3) != 0) continue;
    customers_.may_fail(id);
    customers_.write(id, "complain", "it took too long", in(absl::ZeroDuration(), kMorning), [] {});
  }
}

void Chores::send_letter(const std::string& id, const char* signal, int letter, absl::Duration after,
                         absl::Duration within) {
  customers_.write(id, signal, letter, in(after, within), [this, id, letter] { letters_[id].insert(letter); });
}

void Chores::send_unreadable(const std::string& id, const char* signal, absl::Duration within) {
  customers_.write_bytes(id, signal, unreadable(*random_), in(kMorning, within));
}

std::vector<std::string> Chores::check(const std::string& id, const json& result) const {
  std::vector<std::string> problems;
  const auto expect = [&](bool good, const std::string& what) {
    if (!good) problems.push_back(id + ": " + what + ": " + result.dump());
  };
  if (const auto shelves = shelves_.find(id); shelves != shelves_.end())
    expect(result.at("counted") == shelves->second, "not all shelves were counted");
  if (id == "deadlines") {
    expect(result.at("unseen") == "schedule_to_start", "nobody saw it, and yet");
    expect(result.at("hopeless") == "schedule_to_close" || result.at("hopeless") == "Unavailable", "it never succeeds");
    expect(result.at("rested") == "done" || result.at("rested") == "schedule_to_start", "it rests in time");
  }
  if (id == "chain") expect(result.at("grown") == 3, "its child did not take as many attempts as it needs");
  if (letters_.contains(id)) check_letters(id, result, problems);
  return problems;
}

// Every letter that was acknowledged is read once. What was not may be read, once too.
void Chores::check_letters(const std::string& id, const json& result, std::vector<std::string>& problems) const {
  std::map<int, int> read;
  for (const json& letter : result.at("read")) ++read[letter.get<int>()];
  const bool all_are_read = id == "mailbox" ? life_.races_keep_signals : life_.carried_signals;
  for (const auto& [letter, times] : read) {
    if (times > 1 && (id == "mailbox" || all_are_read)) problems.push_back(fmt::format("{}: letter {} was read {} times", id, letter, times));
  }
  for (const int letter : letters_.at(id)) {
    if (all_are_read && !read.contains(letter))
      problems.push_back(fmt::format("{}: letter {} was acknowledged, and is not among those read", id, letter));
  }
}

}  // namespace skald::sim
