#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/store/mysql/address.h"

namespace skald::store {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

TEST(MysqlAddress, HasAllParts) {
  const auto address = parse_mysql_address("mysql://shop:secret@db.example:3307/orders");
  ASSERT_TRUE(address.ok()) << address.status();
  EXPECT_EQ(address->user, "shop");
  EXPECT_EQ(address->password, "secret");
  EXPECT_EQ(address->host, "db.example");
  EXPECT_EQ(address->port, 3307);
  EXPECT_EQ(address->database, "orders");
  EXPECT_FALSE(address->tls);
  EXPECT_EQ(address->text(), "shop@db.example:3307/orders");
}

TEST(MysqlAddress, PasswordAndPortMayBeLeftOut) {
  const auto address = parse_mysql_address("mysql://shop@db/orders");
  ASSERT_TRUE(address.ok()) << address.status();
  EXPECT_EQ(address->password, "");
  EXPECT_EQ(address->port, 3306);
}

TEST(MysqlAddress, UserPasswordAndParametersMayHoldEscapes) {
  const auto address = parse_mysql_address("mysql://sh%40op:%3f%2F%25%c3%A4%3A@db/orders?tls-ca=/a%20b%26.pem");
  ASSERT_TRUE(address.ok()) << address.status();
  EXPECT_EQ(address->user, "sh@op");
  EXPECT_EQ(address->password, "?/%\xC3\xA4:");
  EXPECT_EQ(address->tls_ca, "/a b&.pem");
}

TEST(MysqlAddress, APasswordMayHoldSignsOfAddresses) {
  const auto address = parse_mysql_address("mysql://shop:a:b@c/d@db/orders");
  ASSERT_TRUE(address.ok()) << address.status();
  EXPECT_EQ(address->password, "a:b@c/d");
  EXPECT_EQ(address->host, "db");
}

TEST(MysqlAddress, TakesAnIpv6AddressInBrackets) {
  for (const char* text : {"mysql://u@[::1]:3307/d", "mysql://u@[::1]/d"}) {
    const auto address = parse_mysql_address(text);
    ASSERT_TRUE(address.ok()) << address.status();
    EXPECT_EQ(address->host, "::1");
  }
  EXPECT_EQ(parse_mysql_address("mysql://u@[::1]:3307/d")->text(), "u@[::1]:3307/d");
}

TEST(MysqlAddress, AuthoritiesImplyTls) {
  EXPECT_TRUE(parse_mysql_address("mysql://u@h/d?tls=true")->tls);
  EXPECT_TRUE(parse_mysql_address("mysql://u@h/d?tls-ca=ca.pem")->tls);
  EXPECT_FALSE(parse_mysql_address("mysql://u@h/d?tls=false")->tls);
  const auto own = parse_mysql_address("mysql://u@h/d?tls=true&tls-cert=c.pem&tls-key=k.pem");
  ASSERT_TRUE(own.ok()) << own.status();
  EXPECT_EQ(own->tls_cert, "c.pem");
  EXPECT_EQ(own->tls_key, "k.pem");
}

struct Bad {
  const char* text;
  const char* said;
};
void PrintTo(const Bad& bad, std::ostream* out) { *out << bad.text; }

class BadMysqlAddress : public testing::TestWithParam<Bad> {};

TEST_P(BadMysqlAddress, IsRefusedWithoutRepeatingThePassword) {
  const auto address = parse_mysql_address(GetParam().text);
  EXPECT_TRUE(absl::IsInvalidArgument(address.status())) << address.status();
  EXPECT_THAT(address.status().message(), AllOf(HasSubstr(GetParam().said), Not(HasSubstr("secret"))));
}

INSTANTIATE_TEST_SUITE_P(
    Texts, BadMysqlAddress,
    testing::Values(Bad{"", "begin with mysql://"}, Bad{"mysql:u:secret@h/d", "begin with"},
                    Bad{"postgres://u:secret@h/d", "begin with"}, Bad{"mysql://h/d", "no user"},
                    Bad{"mysql://:secret@h/d", "no user"}, Bad{"mysql://u:secret%4@h/d", "%XX"},
                    Bad{"mysql://u:secret%zz@h/d", "%XX"}, Bad{"mysql://u:secret@/d", "no host"},
                    Bad{"mysql://u:secret@h:0/d", "port"}, Bad{"mysql://u:secret@h:65536/d", "port"},
                    Bad{"mysql://u:secret@h:+1/d", "port"}, Bad{"mysql://u:secret@h:x/d", "port"},
                    Bad{"mysql://u:secret@[::1/d", "]"}, Bad{"mysql://u:secret@[::1]x/d", "behind the ]"},
                    Bad{"mysql://u:secret@[]/d", "no host"}, Bad{"mysql://u:secret@h", "no database"},
                    Bad{"mysql://u:secret@h/", "no database"}, Bad{"mysql://u:secret@h/d`e", "database name"},
                    Bad{"mysql://u:secret@h/d/e", "database name"}, Bad{"mysql://u:secret@h/d?color=red", "color"},
                    Bad{"mysql://u:secret@h/d?tls=maybe", "tls"}, Bad{"mysql://u:secret@h/d?tls-cert=c", "only one"},
                    Bad{"mysql://u:secret@h/d?tls-ca=%", "%XX"}, Bad{"mysql://u:a?secret@h/d", "%3F"},
                    Bad{"mysql://u:a?secret=b@h/d", "%3F"}, Bad{"mysql://u:x@y/d?secret@h/d", "%3F"},
                    Bad{"mysql://u:secret@h/d123456789012345678901234567890123456789012345678", "48"}));

}  // namespace
}  // namespace skald::store
