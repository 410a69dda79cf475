#include "plugins/sdk/sql_statement.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "plugins/sdk/mysql_batch.h"

namespace skald::plugin {
namespace {

using testing::ElementsAre;

std::string mysql(std::string_view sql, const std::vector<Value>& parameters = {}) {
  return SqlStatement(sql).text(parameters);
}

TEST(SqlStatementTest, ParametersBecomeLiteralsThatEndWhereTheyEnd) {
  EXPECT_EQ(mysql("SELECT a FROM t WHERE k = ? AND n = ?", {"x' OR '1'='1", int64_t{-5}}),
            "SELECT a FROM t WHERE k = 'x\\' OR \\'1\\'=\\'1' AND n = -5");
  EXPECT_EQ(mysql_literal(std::string("\\\0'", 3)), "'\\\\\\0\\''");
}

TEST(SqlStatementTest, QuestionMarksInTextsAreNoParameters) {
  EXPECT_EQ(SqlStatement("SELECT 'why?' FROM t WHERE k = ?").parameters(), 1u);
  EXPECT_EQ(mysql("SELECT 'it''s \\'"), "SELECT 'it\\'s \\\\'");
}

TEST(SqlStatementTest, TypesOfColumnsBecomeThoseThatCompareByteByByte) {
  EXPECT_EQ(mysql("CREATE TABLE IF NOT EXISTS t (k VARCHAR(20) PRIMARY KEY, n INTEGER, b TEXT NOT NULL) WITHOUT ROWID"),
            "CREATE TABLE IF NOT EXISTS t (k VARBINARY(20) PRIMARY KEY, n BIGINT, b LONGTEXT CHARACTER SET utf8mb4 "
            "COLLATE utf8mb4_bin NOT NULL)");
  EXPECT_EQ(mysql("SELECT text FROM t"), "SELECT text FROM t") << "only where tables are made";
}

TEST(SqlStatementTest, IndexIsMadeWithoutTheConditionThatMysqlLacks) {
  const SqlStatement index("CREATE INDEX IF NOT EXISTS by_order ON payments (order_id)");
  EXPECT_EQ(index.text({}), "CREATE INDEX by_order ON payments (order_id)");
  EXPECT_EQ(index.index(), "by_order");
  EXPECT_EQ(index.index_table(), "payments");
  EXPECT_EQ(mysql("CREATE UNIQUE INDEX IF NOT EXISTS u ON t (a)"), "CREATE UNIQUE INDEX u ON t (a)");
}

TEST(SqlStatementTest, InsertionOfPlainValuesCanWait) {
  const SqlStatement insert("INSERT INTO t (k, n, s) VALUES (?, -3, 'open')");
  EXPECT_EQ(insert.inserts_into(), "t");
  EXPECT_EQ(insert.insert_head() + insert.row_text({"a"}), "INSERT INTO t (k, n, s) VALUES ('a', -3, 'open')");
  EXPECT_EQ(SqlStatement("INSERT INTO t VALUES (?, ?)").inserts_into(), "t");
  for (const char* other :
       {"INSERT INTO t (k) SELECT k FROM u", "INSERT INTO t (k) VALUES (?), (?)", "INSERT INTO t (k) VALUES (? + 1)",
        "INSERT INTO t (k) VALUES (MAX(1))", "INSERT IGNORE INTO t (k) VALUES (?)",
        "INSERT INTO t (k) VALUES (?) ON DUPLICATE KEY UPDATE k = 1"})
    EXPECT_EQ(SqlStatement(other).inserts_into(), "") << other;
}

std::vector<std::string> equalities(std::string_view sql) {
  std::vector<std::string> out;
  const SqlStatement statement(sql);
  for (const auto& e : statement.equalities())
    out.push_back(e.table + "." + e.column + "=" + std::to_string(e.parameter));
  return out;
}

TEST(SqlStatementTest, ConditionsThatHoldForEveryRowAreKnown) {
  EXPECT_THAT(equalities("SELECT a FROM t WHERE k = ? AND state = 'open' AND n = ? FOR UPDATE"),
              ElementsAre("t.k=0", "t.n=1"));
  EXPECT_THAT(equalities("UPDATE t SET a = ? WHERE k = ?"), ElementsAre("t.k=1"));
  EXPECT_THAT(equalities("DELETE FROM t WHERE k = ?"), ElementsAre("t.k=0"));
  EXPECT_THAT(equalities("SELECT r.a FROM t r JOIN u s ON s.a = r.a WHERE r.k = ? AND s.b = ?"),
              ElementsAre("t.k=0", "u.b=1"));
}

TEST(SqlStatementTest, OtherConditionsAreTakenForTheWorst) {
  for (const char* sql :
       {"SELECT a FROM t WHERE k = ? OR n = ?", "SELECT a FROM t WHERE NOT k = ?", "SELECT a FROM t WHERE k = ? + 1",
        "SELECT a FROM t WHERE (k = ?)", "SELECT a FROM t, u WHERE k = ?", "UPDATE t SET k = ? WHERE k = ?",
        "SELECT a FROM t WHERE k = ? UNION SELECT a FROM t", "SELECT a FROM t WHERE n BETWEEN ? AND k = ?",
        "SELECT a FROM t JOIN u ON t.a = u.a WHERE k = ?", "SELECT a FROM t WHERE k >= ?"})
    EXPECT_THAT(equalities(sql), ElementsAre()) << sql;
}

TEST(SqlStatementTest, LookupsByOneKeyBecomeOneOfSeveral) {
  const SqlStatement lookup("SELECT a, b FROM t WHERE k = ?");
  ASSERT_TRUE(lookup.is_lookup());
  EXPECT_EQ(lookup.lookup_text({"x", "y"}), "SELECT a, b, k FROM t WHERE k IN ('x','y')");
  for (const char* other : {"SELECT COUNT(*) FROM t WHERE k = ?", "SELECT DISTINCT a FROM t WHERE k = ?",
                            "SELECT a FROM t WHERE k = ? FOR UPDATE", "SELECT a FROM t WHERE k = ? LIMIT 1",
                            "SELECT a FROM t WHERE k = ? AND b = ?", "SELECT * FROM t WHERE k = ?"})
    EXPECT_FALSE(SqlStatement(other).is_lookup()) << other;
}

class PendingRowsTest : public testing::Test {
 protected:
  bool concerns(std::string_view sql, const std::vector<Value>& parameters) {
    return rows_.concerns(SqlStatement(sql), parameters);
  }
  std::vector<std::string> sent(const SqlStatement* before = nullptr, size_t longest = 1 << 20) {
    std::vector<std::string> out;
    rows_.send(
        before, longest, [&](const std::string& text) { out.push_back(text); }, [](auto&, auto&) {});
    return out;
  }

  const SqlStatement insert_{"INSERT INTO t (k, n) VALUES (?, ?)"}, other_{"INSERT INTO u (k) VALUES (?)"};
  PendingRows rows_;
};

TEST_F(PendingRowsTest, GoInOneStatementATable) {
  rows_.add(insert_, {"a", int64_t{1}});
  rows_.add(other_, {"x"});
  rows_.add(insert_, {"b", int64_t{2}});
  EXPECT_THAT(sent(), ElementsAre("INSERT INTO t (k, n) VALUES ('a', 1),('b', 2)", "INSERT INTO u (k) VALUES ('x')"));
  EXPECT_THAT(sent(), ElementsAre());
}

TEST_F(PendingRowsTest, GoInSeveralWhenTheyAreLong) {
  for (const char* key : {"a", "b", "c"}) rows_.add(other_, {key});
  EXPECT_THAT(sent(nullptr, 40), ElementsAre("INSERT INTO u (k) VALUES ('a'),('b')", "INSERT INTO u (k) VALUES ('c')"));
}

TEST_F(PendingRowsTest, ConcernStatementsThatCouldSeeThem) {
  rows_.add(insert_, {"a", int64_t{1}});
  EXPECT_TRUE(concerns("SELECT n FROM t WHERE k = ?", {"a"}));
  EXPECT_TRUE(concerns("SELECT n FROM t WHERE k = ?", {"a "})) << "a collation could take them for the same";
  EXPECT_FALSE(concerns("SELECT n FROM t WHERE k = ?", {"b"}));
  EXPECT_FALSE(concerns("SELECT k FROM t WHERE k = ? AND n = ?", {"a", int64_t{2}}));
  EXPECT_TRUE(concerns("SELECT COUNT(*) FROM t", {}));
  EXPECT_TRUE(concerns("UPDATE u SET a = (SELECT MAX(n) FROM t) WHERE k = ?", {"b"}));
  EXPECT_FALSE(concerns("SELECT COUNT(*) FROM u", {}));
  EXPECT_TRUE(concerns("SELECT n FROM t WHERE unlisted = ?", {"b"}));
}

TEST_F(PendingRowsTest, OfOneEffectAreUndoneAlone) {
  rows_.add(other_, {"x"});
  const auto mark = rows_.mark();
  rows_.add(other_, {"y"});
  rows_.add(insert_, {"a", int64_t{1}});
  rows_.undo(mark);
  EXPECT_THAT(sent(), ElementsAre("INSERT INTO u (k) VALUES ('x')"));
}

TEST(KeyedAnswersTest, AreForgottenKeyByKey) {
  const SqlStatement lookup("SELECT n FROM t WHERE k = ?"), update("UPDATE t SET n = 2 WHERE k = ?"),
      other("UPDATE t SET n = 3"), elsewhere("UPDATE u SET n = 3");
  KeyedAnswers answers;
  answers.begin({"b", "a", "a"});
  EXPECT_TRUE(answers.worthwhile(lookup, "a"));
  EXPECT_FALSE(answers.worthwhile(lookup, "c"));
  answers.learn(lookup, {{int64_t{1}, std::string("a")}});
  EXPECT_FALSE(answers.worthwhile(lookup, "a"));
  EXPECT_EQ(answers.find(lookup, "a")->size(), 1u);
  EXPECT_EQ(answers.find(lookup, "b")->size(), 0u) << "known not to be there";
  EXPECT_EQ(answers.find(lookup, "c"), nullptr);
  answers.forget(elsewhere, {});
  answers.forget(update, {"b"});
  EXPECT_NE(answers.find(lookup, "a"), nullptr);
  EXPECT_EQ(answers.find(lookup, "b"), nullptr);
  answers.forget(other, {});
  EXPECT_EQ(answers.find(lookup, "a"), nullptr);
}

}  // namespace
}  // namespace skald::plugin
