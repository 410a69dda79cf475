#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "plugins/sdk/effect_store.h"

namespace skald::plugin {

// Who asks for an effect.
struct Asker {
  std::string workflow_id, run_id;
  std::string chain;         // the first of the runs that follow each other; empty: not known
  int64_t scheduled_ns = 0;  // when its activity was scheduled, since 1970; 0: not known

  // Who holds what it did: all runs of its chain, or if that is not known all of its workflow id.
  std::string holder() const { return chain.empty() ? "workflow " + workflow_id : chain; }
};

// What the effect is called in the plugin's own tables: its key, and that of what it undoes or goes on with. What is
// done anew after it was undone is called otherwise than the first time.
struct EffectNames {
  std::string key, undoes, of;
  std::string decision;  // what `decide` said, on this attempt or an earlier one
};

// One effect that is to happen at most once, whoever asks.
//
// Its outcome is recorded under `key` in the transaction of `run`; a repetition gets the recorded outcome. An empty
// key: nothing is recorded; what only `reads` is done beside the writers, and does not wait for them. A repetition
// whose `binding` differs is refused ("IdempotencyConflict"): it is another effect under the same name. Each asker of
// another chain holds the effect too.
//
// A compensation names its action's key in `undoes`. It lets go of what its asker's chain holds, and closes the door
// for it: an action of that run, or one that was scheduled before the compensation, is refused ("AlreadyCompensated")
// when it comes later, and does nothing. The last that lets go undoes: `run` is called. As long as others hold the
// effect, and if the action was not recorded, there is nothing to undo, unless there is a `partner`, who may know of an
// action that is not recorded. What was undone may be done anew by another run: as a new effect.
//
// `of` names what an effect goes on with: it is another effect each time that is done anew.
//
// `partner` is what somebody else does, who keeps books of his own. What it wrote stays when `run` throws, or when
// `lose_answer` has the sandbox forget the answer: so the next attempt must ask him before it asks him to do anything.
// What `decide` says is decided before he is asked, and stands for all attempts.
struct EffectRequest {
  std::string key;
  std::string undoes;
  std::string binding;
  std::function<std::string(EffectStore&)> decide;
  std::function<void(EffectStore&)> partner;
  std::function<std::string(EffectStore&)> run;
  bool lose_answer = false;
  bool reads = false;  // it has no key, and changes nothing
  Asker asker = {};
  std::string of = {};
  std::string on_behalf_of = {};                                    // a compensation: of this workflow id's actions
  std::string former_key = {}, former_undoes = {}, former_of = {};  // what older ledgers call them; may be empty
  std::function<void(const EffectNames&)> named = {};               // told before the closures, and after `decide`
};

}  // namespace skald::plugin
