#include "plugins/sdk/apply_effect.h"

#include <algorithm>
#include <exception>
#include <utility>

#include "plugins/sdk/activity_error.h"
#include "plugins/sdk/effect_id.h"

namespace skald::plugin {
namespace {

constexpr char kNothingUndone[] = R"({"undone":false})";

// A compensation's own key, of each generation and of each who may ask for it.
std::string compensation_key(const std::string& key, int64_t generation, const std::string& holder) {
  return key + "/@" + std::to_string(generation) + '/' + effect_key({holder});
}

std::string holder_of(const EffectRequest& request) {
  return request.on_behalf_of.empty() ? request.asker.holder() : "workflow " + request.on_behalf_of;
}

void refuse_late(const std::string& key, const Claim* claim, const Asker& asker) {
  if (claim == nullptr || !claim->refuses(asker)) return;
  throw ActivityError("AlreadyCompensated", key + " was compensated: it is not done any more", true);
}

void check_same(const EffectRecord& record, const std::string& binding) {
  if (record.binding == binding) return;
  throw ActivityError("IdempotencyConflict",
                      record.key + " was done with " + record.binding + ", and is now asked for with " + binding +
                          ": give what is another effect a reference of its own",
                      true);
}

// One effect while it is applied.
class Application {
 public:
  Application(LedgerStore& store, EffectBook& book, const EffectRequest& request)
      : store_(store), book_(book), request_(request), asker_(request.asker) {}

  std::string act() {
    std::string key = request_.key, former = request_.former_key;
    if (!request_.of.empty()) {
      if (auto base = book_.find(request_.of, request_.former_of)) {
        refuse_late(base->key, base->claim_of(asker_), asker_);
        names_.of = base->name(base->generation);
        if (base->generation > 1) {
          key += "/@" + std::to_string(base->generation);
          former.clear();
        }
      }
    }
    auto found = book_.find(key, former);
    if (!found) {
      EffectRecord fresh;
      fresh.key = std::move(key);
      fresh.claims.push_back(own_claim(1));
      return carry_out(fresh);
    }
    EffectRecord& record = *found;
    refuse_late(record.key, record.claim_of(asker_), asker_);
    if (!record.stands()) return do_anew(record);
    check_same(record, request_.binding);
    const bool joins = hold(record);
    if (record.state == EffectRecord::kAsked) return carry_out(record);
    if (joins) book_.write(record);
    return record.outcome;
  }

  std::string compensate() {
    auto found = book_.find(request_.undoes, request_.former_undoes);
    std::vector<Claim*> own = found ? claims_to_let_go(*found) : std::vector<Claim*>();
    const Claim* last = own.empty() ? nullptr : own.back();
    const int64_t generation = last != nullptr ? last->generation : found ? found->generation : 1;
    EffectRecord mine;
    mine.key = compensation_key(request_.key, generation, last != nullptr ? last->holder : holder_of(request_));
    mine.binding = request_.binding;
    mine.claims.push_back(own_claim(1));
    if (const auto done = book_.find(mine.key, generation == 1 ? request_.former_key : "")) {
      check_same(*done, request_.binding);
      return done->outcome;
    }
    names_.key = mine.key;
    names_.undoes = found ? found->name(generation) : request_.undoes;
    mine.outcome = close_door(found, own) ? undo() : kNothingUndone;
    book_.write(mine);
    return mine.outcome;
  }

 private:
  Claim own_claim(int64_t generation) const {
    return {asker_.holder(), asker_.workflow_id, asker_.run_id, generation, -1};
  }

  // From now on the asker holds it too. False: he does already.
  bool hold(EffectRecord& record) const {
    Claim* const claim = record.claim_of(asker_);
    if (claim != nullptr && claim->holds()) return false;
    const Claim held = own_claim(record.generation);
    if (claim != nullptr) {
      *claim = held;
    } else {
      record.claims.push_back(held);
    }
    return true;
  }

  // What was undone, or refused before it was done, is done as a new effect.
  std::string do_anew(EffectRecord& record) {
    ++record.generation;
    record.outcome.clear();
    hold(record);
    return carry_out(record);
  }

  std::string carry_out(EffectRecord& record) {
    names_.key = record.name(record.generation);
    record.binding = request_.binding;
    if (record.version > 0 && record.state == EffectRecord::kAsked) {
      names_.decision = record.outcome;
    } else if (request_.decide) {
      tell_names();
      names_.decision = request_.decide(store_);
    }
    tell_names();
    if (request_.partner) ask_partner(record);
    try {
      record.outcome = request_.run(store_);
    } catch (const RepeatBatch&) {
      throw;
    } catch (const DuplicateRow&) {
      throw;
    } catch (...) {
      if (!request_.partner) throw;
      const std::exception_ptr thrown = std::current_exception();
      store_.undo();
      remember_asking(record);
      std::rethrow_exception(thrown);
    }
    record.state = EffectRecord::kDone;
    book_.write(record);
    return record.outcome;
  }

  // What he did stands, and so does what was decided before.
  void ask_partner(EffectRecord& record) {
    request_.partner(store_);
    store_.mark();
    if (!request_.lose_answer) return;
    remember_asking(record);
    lose_answer();
  }

  void remember_asking(EffectRecord& record) {
    record.state = EffectRecord::kAsked;
    record.outcome = names_.decision;
    book_.write(record);
    store_.mark();
  }

  [[noreturn]] void lose_answer() const {
    throw ActivityError("AnswerLost", "the sandbox was told to lose the answer to " + request_.key);
  }

  std::vector<Claim*> claims_to_let_go(EffectRecord& record) const {
    std::vector<Claim*> found;
    for (Claim& claim : record.claims) {
      const bool named = claim.workflow_id == request_.on_behalf_of;
      if (request_.on_behalf_of.empty() ? claim.belongs_to(asker_) : named) found.push_back(&claim);
    }
    std::stable_sort(found.begin(), found.end(),
                     [](const Claim* a, const Claim* b) { return a->holds() < b->holds(); });
    return found;
  }

  // From now on actions of those who let go are refused. Whether there is something to undo, or a partner who may know.
  bool close_door(std::optional<EffectRecord>& found, const std::vector<Claim*>& own) {
    if (!found) {
      found.emplace();
      found->key = request_.undoes;
      found->state = EffectRecord::kRefused;
      found->claims.push_back(closed_claim(1));
      book_.write(*found);
      return request_.partner != nullptr;
    }
    EffectRecord& record = *found;
    if (own.empty()) {
      record.claims.push_back(closed_claim(record.generation));
      book_.write(record);
      return record.state == EffectRecord::kRefused && request_.partner != nullptr;
    }
    bool held = false;
    for (Claim* claim : own) {
      held = held || claim->holds();
      const Claim closed = closed_claim(claim->generation);
      claim->run_id = closed.run_id;
      claim->closed_ns = std::max(claim->closed_ns, closed.closed_ns);
    }
    if (!held) return request_.partner != nullptr || record.state != EffectRecord::kRefused;  // it was not finished
    const bool others =
        std::any_of(record.claims.begin(), record.claims.end(), [](const Claim& c) { return c.holds(); });
    if (!others) record.state = EffectRecord::kUndone;
    book_.write(record);
    return !others;
  }

  Claim closed_claim(int64_t generation) const {
    const std::string& workflow = request_.on_behalf_of.empty() ? asker_.workflow_id : request_.on_behalf_of;
    return {holder_of(request_), workflow, asker_.run_id, generation, asker_.scheduled_ns};
  }

  std::string undo() {
    tell_names();
    if (request_.partner) {
      request_.partner(store_);
      store_.mark();
      if (request_.lose_answer) lose_answer();
    }
    return request_.run(store_);
  }

  void tell_names() const {
    if (request_.named) request_.named(names_);
  }

  LedgerStore& store_;
  EffectBook& book_;
  const EffectRequest& request_;
  const Asker& asker_;
  EffectNames names_;
};

}  // namespace

std::string apply_effect(LedgerStore& store, EffectBook& book, const EffectRequest& request) {
  Application application(store, book, request);
  return request.undoes.empty() ? application.act() : application.compensate();
}

std::string read_effect(EffectStore& store, EffectBook& book, const EffectRequest& request) {
  if (request.named && !request.of.empty()) {
    EffectNames names;
    names.of = book.look_up_name(request.of, request.former_of);
    request.named(names);
  }
  return request.run(store);
}

std::vector<std::string> keys_of(const EffectRequest& request, bool with_former) {
  std::vector<std::string> keys;
  const auto add = [&keys](const std::string& key) {
    if (!key.empty()) keys.push_back(key);
  };
  for (const std::string* key : {&request.undoes, &request.of}) add(*key);
  if (request.undoes.empty()) {
    add(request.key);
  } else {
    add(compensation_key(request.key, 1, holder_of(request)));
  }
  for (const std::string* key : {&request.former_key, &request.former_undoes, &request.former_of}) {
    if (with_former) add(*key);
  }
  return keys;
}

}  // namespace skald::plugin
