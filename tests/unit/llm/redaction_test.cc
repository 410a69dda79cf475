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

std::string repeated(const std::string& text, size_t times) {
  std::string out;
  for (size_t i = 0; i < times; ++i) out += text;
  return out;
}

// Whoever looked at the rest of such a text anew from each of its words would be at it for hours.
TEST(PersonalData, IsLookedForInATimeThatGrowsWithTheText) {
  constexpr size_t kTimes = 1 << 20;
  for (const char* piece : {"a.", "a-", "a@", "a.b@", "a'", "é."})
    EXPECT_EQ(redacted(repeated(piece, kTimes)).substr(0, 1), std::string(piece).substr(0, 1)) << piece;
  for (const char* piece : {"1.", "1 ", "+1", "0171.", "(", "GB82 WEST ", "[A_"})
    EXPECT_EQ(redacted(repeated(piece, kTimes >> 6)).substr(0, 1), std::string(piece).substr(0, 1)) << piece;
  EXPECT_EQ(redacted(repeated("a.", kTimes) + "b@example.com"), "[EMAIL_1]");
  Redaction many(redaction_rules(nullptr));
  json people = json::array();
  for (size_t i = 0; i < 20000; ++i) people.push_back({{"name", "Ann " + std::to_string(i) + " Smith"}});
  many.redact(people);
  EXPECT_EQ(many.redact_text("Ann 19999 Smith; " + repeated("Ann 1 2 ", 1 << 16)).substr(0, 12), "[NAME_20000]");
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

TEST(Redaction, AFieldIsKnownByTheWordsOfItsNameInWhateverStyle) {
  const struct {
    const char *field, *kind;  // nullptr: it leaves
  } cases[] = {
      {"name", "NAME"},
      {"Name", "NAME"},
      {"NAME", "NAME"},
      {"customerName", "CUSTOMER_NAME"},
      {"customer_name", "CUSTOMER_NAME"},
      {"customer-name", "CUSTOMER_NAME"},
      {"Customer Name", "CUSTOMER_NAME"},
      {"CUSTOMER_NAME", "CUSTOMER_NAME"},
      {"nameOnCard", "NAME_ON_CARD"},
      {"names", "NAMES"},
      {"firstName", "FIRST_NAME"},
      {"firstname", "FIRSTNAME"},
      {"full-name", "FULL_NAME"},
      {"shippingAddress2", "SHIPPING_ADDRESS"},
      {"addresses", "ADDRESSES"},
      {"eMail", "E_MAIL"},
      {"e-mail", "E_MAIL"},
      {"customerIBAN", "CUSTOMER_IBAN"},
      {"IBANOfCustomer", "IBAN_OF_CUSTOMER"},
      {"phoneNumber", "PHONE_NUMBER"},
      {"streetLine1", "STREET_LINE"},
      {"filename", nullptr},
      {"unnamed", nullptr},
      {"renamed_at", nullptr},
      {"tenement", nullptr},
      {"addressee", nullptr},
  };
  for (const auto& [field, kind] : cases) {
    Redaction redaction(redaction_rules(nullptr));
    const std::string expected = kind == nullptr ? "Zoe Zimmer" : "[" + std::string(kind) + "_1]";
    const json shown = redaction.redact({{"order", {{field, "Zoe Zimmer"}}}});
    EXPECT_EQ(shown["order"].begin().value(), expected) << field;
    EXPECT_EQ(redaction.restore(shown)["order"].begin().value(), "Zoe Zimmer") << field;
  }
}

TEST(Redaction, APathIsKnownByTheWordsAtItsEnd) {
  const std::pair<json, bool> cases[] = {
      {{{"customer", {{"name", "Zoe"}}}}, true},
      {{{"order", {{"customer", {{"name", "Zoe"}}}}}}, true},
      {{{"order", {{"customerName", "Zoe"}}}}, true},
      {{{"customers", {{{"name", "Zoe"}}, {{"name", "Zoe"}}}}}, false},  // other words
      {{{"customer", {{{"name", "Zoe"}}, {{"name", "Zoe"}}}}}, true},
      {{{"item", {{"name", "Zoe"}}}}, false},
      {{{"customer", {{"item", {{"name", "Zoe"}}}}}}, false},
      {{{"customer_name", {{"note", "Zoe"}}}}, true},  // all that is in it
  };
  for (const auto& [value, redacted] : cases) {
    Redaction redaction(redaction_rules({{"fields", {"customer.name"}}}));
    EXPECT_EQ(redaction.redact(value).dump().find("Zoe") == std::string::npos, redacted) << value;
  }
}

TEST(Redaction, TheLongestKnownValueIsTaken) {
  Redaction redaction(redaction_rules(nullptr));
  redaction.redact({{"a", {{"name", "Ann"}}}, {"b", {{"name", "Ann Smith-Jones"}}}, {"c", {{"name", "Ann Smith"}}}});
  EXPECT_EQ(redaction.redact_text("Ann Smith-Jones, Ann Smithy, ANN SMITH and ann"),
            "[NAME_2], [NAME_1] Smithy, [NAME_4] and [NAME_5]");
}

TEST(Redaction, WhatIsLeftOfAnAddressBehindANameIsStillOne) {
  Redaction redaction(redaction_rules(nullptr));
  redaction.redact({{"name", "Ann Smith"}});
  EXPECT_EQ(redaction.redact_text("Ann.b@example.com"), "[NAME_2].[EMAIL_1]");
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
