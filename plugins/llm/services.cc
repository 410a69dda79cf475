#include "plugins/llm/services.h"

#include <memory>
#include <utility>

#include "plugins/llm/chunks.h"
#include "plugins/llm/decide.h"
#include "plugins/llm/sha256.h"
#include "plugins/llm/structured_output.h"
#include "plugins/sdk/effect_ledger.h"
#include "plugins/sdk/fields.h"

namespace skald::plugin::llm {
namespace {

using std::chrono::milliseconds;

constexpr size_t kMostTexts = 2048;
constexpr size_t kMostDocumentBytes = 4 << 20;
constexpr size_t kMostRefusal = 300;  // bytes of a model's words in a failure
constexpr int64_t kLongestTimeoutMs = 86400000;

std::string meter_key(const Context& context) { return "a-" + sha256(context.idempotency_key).substr(0, 24); }

milliseconds timeout_of(const json& input, const Settings& settings) {
  if (!has_field(input, "timeout_ms")) return settings.timeout;
  return milliseconds(whole_number(input, "timeout_ms", 1, kLongestTimeoutMs));
}

json read_messages(const json& input, Redaction& redaction) {
  json out = json::array();
  const json& list = required_list(input, "messages");
  for (size_t i = 0; i < list.size(); ++i) {
    const std::string where = "messages[" + std::to_string(i) + "].";
    const std::string role = required_text(list[i], "role", where), content = required_text(list[i], "content", where);
    if (role != "system" && role != "user" && role != "assistant")
      refuse_input(where + "role must be system, user or assistant", role);
    out.push_back({{"role", role}, {"content", redaction.redact_text(content)}});
  }
  if (out.empty()) refuse_input("messages must not be empty");
  return out;
}

std::vector<std::string> redacted_texts(const json& list, Redaction& redaction) {
  if (list.empty() || list.size() > kMostTexts) refuse_input("texts must have 1 to 2048 texts");
  std::vector<std::string> texts;
  for (const json& text : list) {
    if (!text.is_string() || text.get_ref<const std::string&>().empty())
      refuse_input("texts must be texts, and none of them empty", text);
    texts.push_back(redaction.redact_text(text.get_ref<const std::string&>()));
  }
  return texts;
}

Document read_document(const Context& context, const json& input, const Settings& settings) {
  Document document{context.namespace_name,
                    required_text(input, "document"),
                    required_text(input, "title"),
                    required_text(input, "source"),
                    "",
                    settings.embedding_model};
  if (document.document.size() > 1000) refuse_input("document must have at most 1000 bytes");
  const std::string text = required_text(input, "text");
  if (text.size() > kMostDocumentBytes) refuse_input("text must have at most 4 MiB");
  document.hash = sha256(effect_key({document.title, document.source, text, settings.embedding_model,
                                     std::to_string(settings.chunk_bytes), std::to_string(settings.chunk_overlap)}));
  return document;
}

}  // namespace

struct Services::Talk {
  Talk(const Settings& settings, Books& books, Context& context)
      : redaction(settings.redaction), meter(settings, books, context, meter_key(context)) {}

  ChatQuestion question;
  std::unique_ptr<AnswerForm> form;  // nullptr: any text
  Redaction redaction;
  Meter meter;
  Endpoint::Clock::time_point until;
  Spent spent;
  bool repaired = false;
};

Async<json> Services::chat(Context& context, json input) {
  Talk work(settings_, books_, context);
  work.question.messages = read_messages(input, work.redaction);
  work.question.model = optional_text(input, "model", settings_.model);
  if (work.question.model.empty())
    throw ActivityError("LlmNotConfigured", "the plugin's configuration names no model, nor does the input", true);
  if (has_field(input, "temperature")) work.question.temperature = input["temperature"].get<double>();
  work.question.max_tokens =
      has_field(input, "max_tokens") ? whole_number(input, "max_tokens", 1, 1000000) : settings_.max_tokens;
  work.question.stream = settings_.stream;
  if (has_field(input, "schema")) {
    try {
      work.form = std::make_unique<AnswerForm>(input["schema"]);
    } catch (const std::invalid_argument& e) {
      refuse_input(std::string("schema: ") + e.what());
    }
    work.question.form_name = "answer";
    work.question.form = input["schema"];
  }
  work.until = time_until(context, timeout_of(input, settings_));
  json result;
  std::exception_ptr thrown;
  try {
    Async<json> talking = talk(context, work);
    result = co_await talking;
  } catch (const Trouble& trouble) {
    thrown = std::make_exception_ptr(trouble.as_failure());
  } catch (const json::exception& e) {
    thrown = std::make_exception_ptr(unreadable(e).as_failure());
  } catch (...) {
    thrown = std::current_exception();
  }
  Async<void> settling = work.meter.settle();
  co_await settling;
  if (thrown) std::rethrow_exception(thrown);
  co_return result;
}

Async<json> Services::talk(Context& context, Talk& work) {
  for (;;) {
    const TokenUse expected = expected_use(
        chat_body(work.question).dump(-1, ' ', false, json::error_handler_t::replace).size(), work.question.max_tokens);
    const Endpoint::BeforeTry before = work.meter.before_each_try(work.question.model, expected);
    Spent spent;
    ChatAnswer answer;
    std::exception_ptr thrown;
    try {
      Async<ChatAnswer> asking = endpoint_.ask(context, work.question, work.until, spent, before);
      answer = co_await asking;
    } catch (...) {
      thrown = std::current_exception();
    }
    work.meter.count(work.question.model, spent);
    work.spent.latency_ms += spent.latency_ms;
    if (thrown) std::rethrow_exception(thrown);
    if (answer.is_refusal())
      throw Trouble(Reason::kRefused, "the model refuses to answer: " + beginning_of(answer.refusal, kMostRefusal));
    const TokenUse& used = work.meter.tokens();
    json result = {
        {"text", work.redaction.restore_text(answer.text)},
        {"model", answer.model.empty() ? work.question.model : answer.model},
        {"tokens", {{"prompt", used.prompt}, {"completion", used.completion}, {"estimated", used.estimated}}},
        {"cost_micros", work.meter.cost_micros()},
        {"latency_ms", work.spent.latency_ms},
        {"repaired", work.repaired},
        {"redactions", work.redaction.count()}};
    if (work.form == nullptr) co_return result;
    CheckedAnswer checked = check_answer(answer.text, *work.form);
    if (checked.problems.empty()) {
      result["output"] = work.redaction.restore(checked.value);
      co_return result;
    }
    if (work.repaired)
      throw Trouble(Reason::kInvalidOutput, "the model's answer, repaired once, does not fit: " + checked.problems);
    work.repaired = true;
    work.question.messages.push_back({{"role", "assistant"}, {"content", answer.text}});
    work.question.messages.push_back({{"role", "user"}, {"content", repair_request(checked.problems)}});
  }
}

// Settled whatever becomes of it.
Async<std::vector<Embedding>> Services::embeddings_of(Context& context, Meter& meter, std::vector<std::string> texts) {
  std::vector<Embedding> embeddings;
  std::exception_ptr thrown;
  try {
    const auto until = time_until(context, context.remaining());
    Async<std::vector<Embedding>> embedding =
        embed_texts(context, settings_, endpoint_, meter, std::move(texts), until);
    embeddings = co_await embedding;
  } catch (const Trouble& trouble) {
    thrown = std::make_exception_ptr(trouble.as_failure());
  } catch (...) {
    thrown = std::current_exception();
  }
  if (thrown) {
    Async<void> settling = meter.settle();
    co_await settling;
    std::rethrow_exception(thrown);
  }
  co_return embeddings;
}

Async<json> Services::embed(Context& context, json input) {
  Redaction redaction(settings_.redaction);
  Meter meter(settings_, books_, context, meter_key(context));
  std::vector<std::string> texts = redacted_texts(required_list(input, "texts"), redaction);
  Async<std::vector<Embedding>> embedding = embeddings_of(context, meter, std::move(texts));
  const std::vector<Embedding> embeddings = co_await embedding;
  Async<void> settling = meter.settle();
  co_await settling;
  const json result = {{"embeddings", embeddings},
                       {"model", settings_.embedding_model},
                       {"tokens", meter.tokens().prompt},
                       {"cost_micros", meter.cost_micros()},
                       {"redactions", redaction.count()}};
  co_return result;
}

Async<json> Services::learn(Context& context, json input) {
  const Document document = read_document(context, input, settings_);
  const std::vector<std::string> chunks =
      chunks_of(required_text(input, "text"), static_cast<size_t>(settings_.chunk_bytes),
                static_cast<size_t>(settings_.chunk_overlap));
  if (chunks.empty()) refuse_input("text has nothing but blanks in it");
  json result = {
      {"document", document.document}, {"chunks", chunks.size()}, {"changed", false}, {"hash", document.hash}};
  Async<json> looking = books_.apply(context, [&document](EffectStore& db) {
    return json(Knowledge::hash_of(db, document.namespace_name, document.document));
  });
  const json known = co_await looking;
  if (known == document.hash) co_return result;
  Redaction redaction(settings_.redaction);
  Meter meter(settings_, books_, context, meter_key(context));
  std::vector<std::string> texts;
  for (const std::string& chunk : chunks) texts.push_back(redaction.redact_text(chunk));
  Async<std::vector<Embedding>> embedding = embeddings_of(context, meter, std::move(texts));
  std::vector<Embedding> embeddings = co_await embedding;
  for (Embedding& each : embeddings) each = normalized(std::move(each));
  Async<json> writing = books_.apply(context, [&](EffectStore& db) {
    meter.settle(db);
    Knowledge::learn(db, document, chunks, embeddings);
    return json();
  });
  co_await writing;
  result["changed"] = true;
  co_return result;
}

Async<json> Services::search(Context& context, json input) {
  const int64_t top = has_field(input, "top") ? whole_number(input, "top", 1, 50) : 3;
  Redaction redaction(settings_.redaction);
  Meter meter(settings_, books_, context, meter_key(context));
  std::vector<std::string> query{redaction.redact_text(required_text(input, "query"))};
  Async<std::vector<Embedding>> embedding = embeddings_of(context, meter, std::move(query));
  std::vector<Embedding> embeddings = co_await embedding;
  Async<json> refreshing = books_.apply(context, [&](EffectStore& db) {
    meter.settle(db);
    return json(knowledge_.refresh(db, context.namespace_name));
  });
  co_await refreshing;
  json passages = json::array();
  for (const Passage& passage : knowledge_.search(context.namespace_name, settings_.embedding_model,
                                                  std::move(embeddings[0]), static_cast<size_t>(top), -1))
    passages.push_back(to_json(passage));
  const json result = {{"passages", std::move(passages)}};
  co_return result;
}

}  // namespace skald::plugin::llm
