#include "plugins/llm/decide.h"

#include <algorithm>
#include <utility>

#include "plugins/llm/cache.h"
#include "plugins/llm/clock.h"
#include "plugins/llm/conversation.h"
#include "plugins/llm/decisions.h"
#include "plugins/llm/sha256.h"
#include "plugins/sdk/effect_ledger.h"
#include "plugins/sdk/fields.h"

namespace skald::plugin::llm {
namespace {

using Clock = Endpoint::Clock;
using std::chrono::milliseconds;

constexpr milliseconds kTimeToWrite(500);  // kept of the attempt's time, or a tenth of it

json tokens_json(const TokenUse& tokens) {
  return {{"prompt", tokens.prompt}, {"completion", tokens.completion}, {"estimated", tokens.estimated}};
}

TokenUse tokens_from(const json& tokens) { return {tokens["prompt"], tokens["completion"], tokens["estimated"]}; }

json turn_result(const std::string& id, int64_t round, const json& state) {
  return {{"decision_id", id}, {"conversation", conversation_name(id, round)}, {"tool_calls", state["tool_calls"]}};
}

}  // namespace

Clock::time_point time_until(const Context& context, milliseconds timeout) {
  const milliseconds left = context.remaining();
  return Clock::now() + std::min(timeout, left - std::min(kTimeToWrite, left / 10));
}

Async<std::vector<Embedding>> embed_texts(Context& context, const Settings& settings, const Endpoint& endpoint,
                                          Meter& meter, std::vector<std::string> texts, Clock::time_point until) {
  if (settings.embedding_model.empty())
    throw ActivityError("LlmNotConfigured", "the plugin's configuration names no embedding_model", true);
  std::vector<Embedding> out;
  const auto batch_size = static_cast<size_t>(settings.embedding_batch);
  for (size_t begin = 0; begin < texts.size(); begin += batch_size) {
    const size_t end = std::min(begin + batch_size, texts.size());
    std::vector<std::string> batch(texts.begin() + static_cast<std::ptrdiff_t>(begin),
                                   texts.begin() + static_cast<std::ptrdiff_t>(end));
    size_t bytes = 0;
    for (const std::string& text : batch) bytes += text.size();
    const TokenUse expected = expected_use(bytes, 0);
    const Endpoint::BeforeTry before = meter.before_each_try(settings.embedding_model, expected);
    Spent spent;
    std::exception_ptr thrown;
    std::vector<Embedding> embeddings;
    try {
      Async<std::vector<Embedding>> embedding =
          endpoint.embed(context, settings.embedding_model, std::move(batch), until, spent, before);
      embeddings = co_await embedding;
    } catch (...) {
      thrown = std::current_exception();
    }
    meter.count(settings.embedding_model, spent);
    if (thrown) std::rethrow_exception(thrown);
    for (Embedding& each : embeddings) out.push_back(std::move(each));
  }
  co_return out;
}

// One call of llm.decide.
struct Decider::Work {
  Work(const Settings& settings, Books& books, Context& context_, DecideRequest request_)
      : context(context_),
        request(std::move(request_)),
        dialogue(settings.redaction),
        meter(settings, books, context_, request.decision_id) {}

  Context& context;
  DecideRequest request;
  std::shared_ptr<const Prompt> prompt;
  Dialogue dialogue;
  Meter meter;
  json rule;           // null: none
  json pending_calls;  // of the conversation that goes on
  std::string cached_request, cache_key;
  Clock::time_point until;

  bool searches() const { return !request.knowledge_query.empty() || !prompt->knowledge_query.empty(); }
};

// Runs in the transaction that begins a call. The result if there is one already, else null.
json Decider::begin(EffectStore& db, Work& work) {
  const DecideRequest& request = work.request;
  const auto before = find_decision(db, request.decision_id);
  if (before && (*before)["binding"] != request.binding) {
    throw ActivityError(
        "IdempotencyConflict",
        "decision " + request.decision_id + " of " + request.agent + " about " + request.about +
            " was asked for with another prompt or other inputs: give another one a reference of its own",
        true);
  }
  if (before && (*before)["status"] != kFailed) return decide_result(*before);
  const auto next = find_conversation(db, request.decision_id, request.round + 1);
  if (next && (*next)["binding"] == request.binding) return turn_result(request.decision_id, request.round + 1, *next);
  work.dialogue = Dialogue(settings_.redaction);
  json found = conversation_or_cache(db, work);
  if (before && (*before)["requests"] > work.dialogue.requests) {  // the attempt that failed has cost something, too
    work.dialogue.tokens = tokens_from((*before)["tokens"]);
    work.dialogue.cost_micros = (*before)["cost_micros"];
    work.dialogue.requests = (*before)["requests"];
    work.dialogue.latency_ms = (*before)["latency_ms"];
  }
  return found;
}

json Decider::conversation_or_cache(EffectStore& db, Work& work) {
  const DecideRequest& request = work.request;
  if (request.round > 0) {
    const auto state = find_conversation(db, request.decision_id, request.round);
    if (!state || (*state)["binding"] != request.binding) {
      throw ActivityError("ConversationNotFound",
                          "decision " + request.decision_id + " has no such conversation: begin it again", true);
    }
    work.dialogue.load((*state)["dialogue"]);
    work.request.version = (*state)["version"].get<int64_t>();
    work.pending_calls = (*state)["tool_calls"];
    return nullptr;
  }
  if (work.prompt == nullptr) return nullptr;
  const Prompt& prompt = *work.prompt;
  int64_t revision = 0;
  if (work.searches()) revision = knowledge_.refresh(db, work.context.namespace_name);
  if (work.cached_request.empty()) return nullptr;
  work.cache_key = sha256(effect_key({work.cached_request, std::to_string(revision)}));
  const auto cached = find_cached(db, work.cache_key, now_ms());
  if (!cached) return nullptr;
  open_dialogue(work.dialogue, prompt, request.inputs, std::nullopt);
  work.dialogue.model = (*cached)["model"];
  work.dialogue.sources = (*cached)["sources"];
  work.dialogue.messages = json::array();  // nothing was sent
  json made = record(work);
  made["source"] = "cache";
  const json decision = work.dialogue.redaction.restore((*cached)["decision"]);
  made["confidence"] = decision["confidence"];
  made["explanation"] = decision["explanation"];
  made["output"] = decision;
  made["output"].erase("confidence");
  made["output"].erase("explanation");
  return decide_result(put_decision(db, std::move(made)));
}

// The record without what decides: source, output, confidence and explanation.
json Decider::record(const Work& work) const {
  const Dialogue& dialogue = work.dialogue;
  const int64_t now = now_ms();
  return {{"decision_id", work.request.decision_id},
          {"namespace", work.context.namespace_name},
          {"workflow_id", work.context.workflow_id},
          {"run_id", work.context.run_id},
          {"agent", work.request.agent},
          {"about", work.request.about},
          {"reference", work.request.reference},
          {"binding", work.request.binding},
          {"status", kDecided},
          {"created_ms", now},
          {"created_at", iso_time(now)},
          {"prompt", work.prompt->name},
          {"version", work.prompt->version},
          {"hash", work.prompt->hash},
          {"model", dialogue.model},
          {"inputs_hash", work.request.inputs_hash},
          {"sent", dialogue.messages},
          {"sources", dialogue.sources},
          {"tokens", tokens_json(dialogue.tokens)},
          {"cost_micros", dialogue.cost_micros},
          {"latency_ms", dialogue.latency_ms},
          {"repaired", dialogue.repaired},
          {"redactions", dialogue.redaction.count()},
          {"requests", dialogue.requests},
          {"attempts", work.context.attempt},
          {"refusals", dialogue.refusals},
          {"overruled", dialogue.overruled},
          {"schema", work.prompt->form->schema()}};
}

// All that shapes the first answer: what is searched for and what is asked, as they leave, but for the passages, which
// follow from the search and the knowledge's revision. Empty: it is not to be cached.
std::string Decider::effective_request(const Work& work) const {
  const Prompt& prompt = *work.prompt;
  if (prompt.cache_seconds == 0 || work.request.round > 0) return "";
  Dialogue trial(settings_.redaction);
  json search;
  if (work.searches()) {
    const Search wanted = search_of(work, trial.redaction);
    search = {{"query", wanted.query}, {"top", wanted.top}, {"least", wanted.least}, {"model", wanted.model}};
  }
  open_dialogue(trial, prompt, work.request.inputs, std::nullopt);
  const json all = {{"namespace", work.context.namespace_name},
                    {"endpoint", settings_.url},
                    {"prompt", prompt.hash},
                    {"inputs", work.request.inputs_hash},
                    {"redaction", to_json(settings_.redaction)},
                    {"search", search},
                    {"chat", chat_body(question_for(trial, prompt, settings_))}};
  return sha256(all.dump(-1, ' ', false, json::error_handler_t::replace));
}

Async<json> Decider::decide(Context& context, json input) {
  Work work(settings_, books_, context, read_decide_request(context, input));
  try {
    work.prompt = prompts_.get(work.request.prompt, work.request.version);
    work.cached_request = effective_request(work);
  } catch (const ActivityError&) {  // what is decided already is found all the same
  }
  Async<json> beginning = books_.apply(context, [this, &work](EffectStore& db) { return begin(db, work); });
  json found = co_await beginning;
  if (!found.is_null()) co_return found;
  // A prompt that has changed meanwhile is for the next call: the key of the cache is of this one.
  if (work.prompt == nullptr || work.request.round > 0)
    work.prompt = prompts_.get(work.request.prompt, work.request.version);
  work.rule = rule_decision(work.request, *work.prompt);
  const milliseconds own(work.prompt->timeout_ms);
  work.until = time_until(context, work.request.timeout.value_or(own.count() > 0 ? own : settings_.timeout));
  Turn turn;
  std::exception_ptr thrown;
  std::optional<Trouble> trouble;
  bool opened = false;  // what cannot be read from then on is the endpoint's
  try {
    Async<void> opening = open(work);
    co_await opening;
    opened = true;
    Async<Turn> turning = next_turn(context, work.dialogue, *work.prompt, work.request.inputs, settings_, endpoint_,
                                    work.meter, work.until);
    turn = co_await turning;
  } catch (const Trouble& t) {
    trouble = t;
    thrown = std::make_exception_ptr(t.as_failure());
  } catch (const json::exception& e) {
    if (opened) trouble = unreadable(e);
    thrown = trouble ? std::make_exception_ptr(trouble->as_failure()) : std::current_exception();
  } catch (...) {
    thrown = std::current_exception();
  }
  if (!thrown && !turn.tool_calls.empty()) {
    Async<json> going = keep_going(work, std::move(turn.tool_calls));
    json result = co_await going;
    co_return result;
  }
  if (!thrown || (trouble && !work.rule.is_null())) {
    const Trouble* const why = trouble ? &*trouble : nullptr;
    json decision = trouble ? work.rule : std::move(turn.decision);
    Async<json> finishing = finish(work, std::move(decision), trouble ? "rule" : "model", why);
    json result = co_await finishing;
    co_return result;
  }
  Async<void> noting = note_failure(work, trouble ? &*trouble : nullptr);
  co_await noting;
  std::rethrow_exception(thrown);
}

// Begins the dialogue, or goes on with it.
Async<void> Decider::open(Work& work) {
  if (work.request.round > 0) {
    add_tool_results(work.dialogue, work.pending_calls, work.request.tool_results);
    co_return;
  }
  std::optional<std::vector<Passage>> passages;
  if (work.searches()) {
    Async<std::vector<Passage>> finding = find_passages(work);
    passages = co_await finding;
  }
  open_dialogue(work.dialogue, *work.prompt, work.request.inputs, passages);
}

Decider::Search Decider::search_of(const Work& work, Redaction& redaction) const {
  const DecideRequest& request = work.request;
  const Prompt& prompt = *work.prompt;
  const json shown = redaction.redact(request.inputs);
  Search search;
  search.query = request.knowledge_query.empty() ? prompt.knowledge_query.render_plain(shown)
                                                 : redaction.redact_text(request.knowledge_query);
  search.model = settings_.embedding_model;
  search.top = static_cast<size_t>(request.knowledge_top.value_or(prompt.knowledge_top));
  search.least = prompt.knowledge_least;
  return search;
}

Async<std::vector<Passage>> Decider::find_passages(Work& work) {
  const Search search = search_of(work, work.dialogue.redaction);
  std::vector<std::string> query{search.query};
  const TokenUse before = work.meter.tokens();
  const int64_t cost_before = work.meter.cost_micros();
  const auto begun = Clock::now();
  Async<std::vector<Embedding>> embedding =
      embed_texts(work.context, settings_, endpoint_, work.meter, std::move(query), work.until);
  std::vector<Embedding> embeddings = co_await embedding;
  work.dialogue.latency_ms += std::chrono::duration_cast<milliseconds>(Clock::now() - begun).count();
  work.dialogue.tokens.add({work.meter.tokens().prompt - before.prompt, 0, work.meter.tokens().estimated});
  work.dialogue.cost_micros = saturated_sum(work.dialogue.cost_micros, work.meter.cost_micros() - cost_before);
  co_return knowledge_.search(work.context.namespace_name, search.model, std::move(embeddings[0]), search.top,
                              search.least);
}

Async<json> Decider::keep_going(Work& work, json tool_calls) {
  const json state = {{"binding", work.request.binding},
                      {"version", work.prompt->version},
                      {"tool_calls", std::move(tool_calls)},
                      {"dialogue", work.dialogue.save()}};
  Async<json> keeping = books_.apply(work.context, [&work, &state](EffectStore& db) {
    work.meter.settle(db);
    const auto& [id, round] = std::pair(work.request.decision_id, work.request.round + 1);
    return turn_result(id, round, keep_conversation(db, id, round, state));
  });
  json result = co_await keeping;
  co_return result;
}

// Not what names personal data of a passage: with the inputs alone it could not be restored.
bool Decider::may_be_cached(const Work& work, const json& decision, const json& restored) const {
  if (work.cache_key.empty() || work.dialogue.rounds > 0) return false;
  Redaction of_inputs(settings_.redaction);
  of_inputs.redact(work.request.inputs);
  return of_inputs.restore(decision) == restored;
}

Async<json> Decider::finish(Work& work, json decision, const char* source, const Trouble* trouble) {
  json made = record(work);
  made["source"] = source;
  if (trouble != nullptr) {
    made["reason"] = reason_name(trouble->reason);
    made["problem"] = trouble->what();
  }
  const json whole = trouble == nullptr ? work.dialogue.redaction.restore(decision) : decision;
  made["confidence"] = whole["confidence"];
  made["explanation"] = whole["explanation"];
  made["output"] = whole;
  made["output"].erase("confidence");
  made["output"].erase("explanation");
  const bool keep = trouble == nullptr && may_be_cached(work, decision, whole);
  const json cached = {{"decision", decision}, {"model", work.dialogue.model}, {"sources", work.dialogue.sources}};
  Async<json> writing = books_.apply(work.context, [&](EffectStore& db) {
    work.meter.settle(db);
    end_conversations(db, work.request.decision_id);
    if (keep) keep_cached(db, work.cache_key, cached, now_ms(), work.prompt->cache_seconds);
    return decide_result(put_decision(db, made));
  });
  json result = co_await writing;
  co_return result;
}

// What a call without a decision has cost, and why there is none. Whoever was cancelled only settles.
Async<void> Decider::note_failure(Work& work, const Trouble* trouble) {
  if (trouble == nullptr) {
    Async<void> settling = work.meter.settle();
    co_await settling;
    co_return;
  }
  json made = record(work);
  made["status"] = kFailed;
  made["reason"] = reason_name(trouble->reason);
  made["problem"] = trouble->what();
  Async<json> writing = books_.apply(work.context, [&](EffectStore& db) {
    work.meter.settle(db);
    put_decision(db, made);
    return json();
  });
  co_await writing;
}

}  // namespace skald::plugin::llm
