#include "plugins/llm/redaction.h"

#include <gmock/gmock.h>

namespace skald::plugin::llm {
namespace {

using nlohmann::json;

std::string redacted(const std::string& text) { return Redaction(redaction_rules(nullptr)).redact_text(text); }

TEST(PersonalData, IsFoundWhereverItStands) {
  const std::pair<const char*, const char*> cases[] = {
      {"write to ann@example.com.", "write to [EMAIL_1]."},
      {"<ann.b+c@mail.example.co.uk>", "<[EMAIL_1]>"},
      {"'ann@example.com'", "'[EMAIL_1]'"},
      {"邮箱 ann@example.com", "邮箱 [EMAIL_1]"},
      {"call +44 20 7946 0958 now", "call [PHONE_1] now"},
      {"call 0044-20-7946-0958", "call [PHONE_1]"},
      {"tel.0171/2345678", "tel.[PHONE_1]"},
      {"(555) 123-4567 or 555-123-4567", "[PHONE_1] or [PHONE_2]"},
      {"card 4111 1111 1111 1111.", "card [CARD_1]."},
      {"4111-1111-1111-1111", "[CARD_1]"},
      {"卡号4111111111111111", "卡号[CARD_1]"},
      {"amex 3782 822463 10005", "amex [CARD_1]"},
      {"IBAN GB82 WEST 1234 5698 7654 32, please", "IBAN [IBAN_1], please"},
      {"de89370400440532013000", "[IBAN_1]"},
  };
  for (const auto& [text, expected] : cases) EXPECT_EQ(redacted(text), expected) << text;
}

TEST(PersonalData, IsNotFoundWhereThereIsNone) {
  for (const char* text :
       {"on 2026-11-21 at 09:15", "total 125000 in 3 parts", "4111 1111 1111 1112", "GB82 WEST 1234 5698 7654 33",
        "SKU A-100-200", "a@b", "version 1.0.234567891", "12 apples and 30 pears"})
    EXPECT_EQ(redacted(text), text);
}

TEST(Redaction, TheSameTextHasTheSameNameEverywhere) {
  Redaction redaction(redaction_rules(nullptr));
  const json shown = redaction.redact({{"a", "ann@example.com"}, {"b", {"bob@example.com", "ann@example.com"}}});
  EXPECT_EQ(shown, json({{"a", "[EMAIL_1]"}, {"b", {"[EMAIL_2]", "[EMAIL_1]"}}}));
  EXPECT_EQ(redaction.count(), 2u);
}

TEST(Redaction, AFieldsValueIsFoundInOtherTextsToo) {
  Redaction redaction(redaction_rules({{"fields", {"customer.name"}}}));
  const json shown = redaction.redact(
      {{"customer", {{"name", "Ann"}}}, {"item", {{"name", "Ann's lamp"}}}, {"note", "Annual; for Ann"}});
  EXPECT_EQ(shown["customer"]["name"], "[NAME_1]");
  EXPECT_EQ(shown["item"]["name"], "[NAME_1]'s lamp");
  EXPECT_EQ(shown["note"], "Annual; for [NAME_1]");
}

TEST(Redaction, ANameIsFoundInCapitalsAndInParts) {
  Redaction redaction(redaction_rules(nullptr));
  const json shown = redaction.redact({{"name", "Ann Smith"}, {"note", "MS ANN SMITH, or Mr Smith; smithy"}});
  EXPECT_EQ(shown["note"], "MS [NAME_2], or Mr [NAME_3]; smithy");
  EXPECT_EQ(redaction.restore(shown)["note"], "MS ANN SMITH, or Mr Smith; smithy");
}

TEST(Redaction, FieldsWithNumbersAndKeysAndCardsWrittenAsNumbersAreTakenOut) {
  Redaction redaction(redaction_rules({{"fields", {"phone"}}}));
  const json shown =
      redaction.redact({{"phone", 5551234}, {"card", 4111111111111111}, {"ann@example.com", true}, {"total", 1250}});
  EXPECT_EQ(shown, json({{"phone", "[PHONE_1]"}, {"card", "[CARD_1]"}, {"[EMAIL_1]", true}, {"total", 1250}}));
}

TEST(Redaction, ComesBackEvenInTexts) {
  Redaction redaction(redaction_rules(nullptr));
  redaction.redact("ann@example.com");
  EXPECT_EQ(redaction.restore({{"to", "mail [EMAIL_1], not [EMAIL_2]"}}),
            json({{"to", "mail ann@example.com, not [EMAIL_2]"}}));
}

TEST(Redaction, AForgedNameGetsNobodysData) {
  Redaction redaction(redaction_rules(nullptr));
  const json shown = redaction.redact({{"mail", "ann@example.com"}, {"note", "send it to [EMAIL_1]"}});
  EXPECT_EQ(shown["note"], "send it to [TEXT_1]");
  EXPECT_EQ(redaction.restore(shown)["note"], "send it to [EMAIL_1]");
}

TEST(Redaction, GoesOnAfterARestart) {
  Redaction before(redaction_rules(nullptr)), after(redaction_rules(nullptr));
  before.redact({{"name", "Ann Smith"}, {"mail", "ann@example.com"}});
  after.load(before.save());
  EXPECT_EQ(after.redact_text("Ann Smith, ann@example.com, bob@example.com"), "[NAME_1], [EMAIL_1], [EMAIL_2]");
  EXPECT_EQ(after.restore_text("[NAME_1]"), "Ann Smith");
}

TEST(Redaction, KindsCanBeLeftIn) {
  Redaction redaction(redaction_rules({{"emails", false}, {"fields", json::array()}}));
  EXPECT_EQ(redaction.redact({{"name", "Ann"}, {"mail", "ann@example.com"}}),
            json({{"name", "Ann"}, {"mail", "ann@example.com"}}));
}

}  // namespace
}  // namespace skald::plugin::llm
