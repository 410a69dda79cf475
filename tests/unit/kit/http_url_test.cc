#include "plugins/sdk/http_url.h"

#include <gmock/gmock.h>

#include "tests/unit/kit/http_client_fixture.h"

namespace skald::plugin {
namespace {

using testing::HasSubstr;

TEST(Url, PutsWhateverItIsInOneSegment) {
  const struct {
    const char *sku, *path;
  } cases[] = {
      {"A-1_2.3~4", "/items/A-1_2.3~4"},
      {"a/b", "/items/a%2Fb"},
      {"../orders", "/items/..%2Forders"},
      {"...", "/items/..."},
      {"a b+c", "/items/a%20b%2Bc"},
      {"a?b=c&d#e", "/items/a%3Fb%3Dc%26d%23e"},
      {"100%", "/items/100%25"},
      {"%2e%2e", "/items/%252e%252e"},
      {"größe", "/items/gr%C3%B6%C3%9Fe"},
      {"\xff", "/items/%FF"},
      {"user@host:80", "/items/user%40host%3A80"},
  };
  for (const auto& [sku, path] : cases) {
    EXPECT_EQ(Url("").segment("items").segment(sku).text(), path);
    EXPECT_EQ(Url("http://host/").segment("items").segment(sku).text(), std::string("http://host") + path);
  }
  EXPECT_EQ(Url("https://host/v1").segment(17).text(), "https://host/v1/17");
}

TEST(Url, JoinsAQuery) {
  EXPECT_EQ(Url("/v1/items").query("limit", 100).query("after", "a&b=c d").text(),
            "/v1/items?limit=100&after=a%26b%3Dc%20d");
  EXPECT_EQ(Url("/v1").query("a[b]", "").text(), "/v1?a%5Bb%5D=");
}

std::string refusal(const std::function<void()>& build) {
  try {
    build();
  } catch (const ActivityError& error) {
    EXPECT_EQ(error.type, "HttpInvalidRequest");
    EXPECT_TRUE(error.non_retryable);
    return error.what();
  }
  return "";
}

TEST(Url, RefusesWhatNamesAnotherPlace) {
  for (const char* segment : {"", ".", ".."})
    EXPECT_THAT(refusal([&] { Url("/v1").segment(segment); }), HasSubstr("would name another place")) << segment;
}

TEST(Url, RefusesControlCharacters) {
  for (const char c : {'\0', '\t', '\n', '\r', '\x1f', '\x7f'}) {
    const std::string text = std::string("a") + c + "b";
    EXPECT_THAT(refusal([&] { Url("/v1").segment(text); }), HasSubstr("control character"));
    EXPECT_THAT(refusal([&] { Url("/v1").query("q", text); }), HasSubstr("control character"));
    EXPECT_THAT(refusal([&] { Url("/v1").query(text, "v"); }), HasSubstr("control character"));
    EXPECT_THAT(refusal([&] { Url("/v1" + text); }), HasSubstr("control character"));
  }
}

TEST(Url, RefusesABaseThatEndsThePath) {
  for (const char* base : {"http://host/?a=b", "http://host/#here", "http://host/a b"})
    EXPECT_THAT(refusal([&] { Url{base}; }), HasSubstr("no query")) << base;
  EXPECT_THROW(Url("/v1").query("a", "b").segment("c"), std::logic_error);
}

class SentUrl : public HttpClientTest {};

// What the service reads is what was built: nothing on the way reads it anew.
TEST_F(SentUrl, ArrivesAsItWasBuilt) {
  RawServer server(always([](const std::string& request) { return answer(200, request.substr(0, request.find("\r\n"))); }));
  for (const char* sku : {"a/b", "../../x", "..%2f", "a?b#c", "größe", "100%"}) {
    const std::string path = Url("").segment("items").segment(sku).query("q", sku).text();
    EXPECT_EQ(send(get(Url(server.url()).segment("items").segment(sku).query("q", sku).text())).get().body,
              "GET " + path + " HTTP/1.1");
  }
}

}  // namespace
}  // namespace skald::plugin
