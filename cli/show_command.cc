#include <memory>

#include <fmt/format.h>

#include "cli/close_text.h"
#include "cli/command_groups.h"
#include "cli/event_text.h"
#include "cli/history.h"
#include "cli/json_output.h"
#include "cli/time_text.h"
#include "cli/words.h"

namespace skald::cli {
namespace {

using temporal::api::history::v1::HistoryEvent;

struct ShowOptions {
  Target target;
  bool follow = false;
  bool raw_payloads = false;
  bool full = false;
};

constexpr size_t kDetailColumns = 100;
constexpr size_t kNameColumns = 34;

Colour colour_of(const HistoryEvent& event) {
  if (closes(event)) return status_colour(ending(event).status);
  const std::string name = event_name(event.event_type());
  const auto ends = [&name](std::string_view end) {
    return name.size() >= end.size() && name.compare(name.size() - end.size(), end.size(), end) == 0;
  };
  if (ends("Failed") || ends("TimedOut")) return Colour::kRed;
  return name.rfind("WorkflowTask", 0) == 0 ? Colour::kDim : Colour::kNone;
}

// One line as soon as the event is there, so the columns have fixed widths.
void print_event(const Session& session, const ShowOptions& options, const HistoryEvent& event) {
  const std::string name = fmt::format("{:<{}}", event_name(event.event_type()), kNameColumns);
  std::string line = fmt::format("{:>5}  {}  {}  {}", event.event_id(), time_text(event.event_time()),
                                 session.console.paint(colour_of(event), name),
                                 one_line(event_detail(event), options.full ? 0 : kDetailColumns));
  line.erase(line.find_last_not_of(' ') + 1);
  session.console.out << line << '\n';
  if (options.follow) session.console.out.flush();
}

Outcome show(const ShowOptions& options, Session& session) {
  nlohmann::ordered_json events = nlohmann::ordered_json::array();
  HistoryEvent last;
  const auto take = [&](HistoryEvent& event) {
    if (session.json) {
      events.push_back(to_json(event, options.raw_payloads ? PayloadForm::kRaw : PayloadForm::kDecoded));
    } else {
      print_event(session, options, event);
    }
    last.Swap(&event);
  };
  if (Outcome read = read_history(session, options.target, options.follow, take); !read.ok()) return read;
  if (session.json) {
    print_json(session.console, {{"events", std::move(events)}});
  } else if (const std::string next = successor(last); !next.empty()) {
    session.console.out << fmt::format("It goes on: skald workflow show {} --run-id {}\n", options.target.id, next);
  }
  return {};
}

}  // namespace

void add_show_command(CLI::App* group, const CommandAdder& adder) {
  CLI::App* command = group->add_subcommand("show", "Show a run's history, event by event");
  auto options = std::make_shared<ShowOptions>();
  add_target(command, options->target);
  command->add_flag("-f,--follow", options->follow, "Go on as events are added, until the run closes");
  command->add_flag("--full", options->full, "Do not cut long details");
  command->add_flag("--raw-payloads", options->raw_payloads,
                    "With -o json: payloads as the protocol has them, as replayers of the SDKs want them");
  adder.complete(command, Scope::kNamespace,
                 "  skald workflow show order-1\n  skald workflow show order-1 --follow\n  skald workflow show order-1 "
                 "-o json --raw-payloads > order-1.json",
                 [options](Session& session) { return show(*options, session); });
}

}  // namespace skald::cli
