#include "plugins/sdk/fields.h"
#include "plugins/sdk/plugin.h"

// The plugin of the benchmark: each activity is one call of a service.
namespace skald::plugin {
namespace {

class Caller final : public Plugin {
 public:
  Caller() : Plugin("caller", "1.0.0") {
    async_activity("call", [this](Context& context, const json& input) { return call(context, input); });
  }

 private:
  Async<json> call(Context& context, const json& input) {
    HttpRequest request;
    request.url = required_text(input, "url");
    const HttpResponse response = co_await http().send(context, std::move(request));
    co_return response.parsed();
  }
};

}  // namespace
}  // namespace skald::plugin

SKALD_PLUGIN(skald::plugin::Caller)
