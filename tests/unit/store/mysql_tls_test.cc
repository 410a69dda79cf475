#include <fstream>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "tests/unit/store/mysql_fault.h"

// How the server is found and reached: TLS, names and IPv6.
namespace skald::store {
namespace {

using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;

Key new_key() { return {EVP_RSA_gen(2048), EVP_PKEY_free}; }

// Of `name`, by itself or by an issuer.
Certificate certificate(const char* name, EVP_PKEY* key, X509* issuer, EVP_PKEY* issuer_key, const char* extension,
                        int extension_id) {
  Certificate certificate(X509_new(), X509_free);
  X509_set_version(certificate.get(), 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), issuer == nullptr ? 1 : 2);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -3600);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
  X509_set_pubkey(certificate.get(), key);
  X509_NAME* subject = X509_get_subject_name(certificate.get());
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>(name), -1, -1, 0);
  X509_set_issuer_name(certificate.get(), issuer == nullptr ? subject : X509_get_subject_name(issuer));
  X509_EXTENSION* more = X509V3_EXT_conf_nid(nullptr, nullptr, extension_id, extension);
  X509_add_ext(certificate.get(), more, -1);
  X509_EXTENSION_free(more);
  X509_sign(certificate.get(), issuer_key, EVP_sha256());
  return certificate;
}

std::string to_file(const std::string& path, X509* certificate, EVP_PKEY* key) {
  FILE* file = fopen(path.c_str(), "w");
  if (certificate != nullptr) PEM_write_X509(file, certificate);
  if (key != nullptr) PEM_write_PrivateKey(file, key, nullptr, nullptr, 0, nullptr, nullptr);
  fclose(file);
  return path;
}

// An authority's certificate, and one for 127.0.0.1 by it, as PEM files in a folder.
struct Papers {
  explicit Papers(const std::string& folder) {
    const Key authority_key = new_key(), server_key = new_key(), other_key = new_key();
    const Certificate of_authority = certificate("An authority", authority_key.get(), nullptr, authority_key.get(),
                                                 "critical,CA:TRUE", NID_basic_constraints);
    const Certificate of_other = certificate("Another authority", other_key.get(), nullptr, other_key.get(),
                                             "critical,CA:TRUE", NID_basic_constraints);
    const Certificate of_server = certificate("127.0.0.1", server_key.get(), of_authority.get(), authority_key.get(),
                                              "IP:127.0.0.1", NID_subject_alt_name);
    authority = to_file(folder + "/authority.pem", of_authority.get(), nullptr);
    other_authority = to_file(folder + "/other.pem", of_other.get(), nullptr);
    server = to_file(folder + "/server.pem", of_server.get(), nullptr);
    key = to_file(folder + "/key.pem", nullptr, server_key.get());
  }
  std::string authority, other_authority, server, key;
};

class MysqlTls : public OwnServer, public MysqlFault {
 protected:
  MysqlTls() : MysqlFault(fresh_database(server_)), papers_(server_.folder()) {}
  void SetUp() override {
    ASSERT_EQ(server_.stop(), absl::OkStatus());
    start({"--ssl-cert=" + papers_.server, "--ssl-key=" + papers_.key, "--ssl-ca=" + papers_.authority});
  }

  Papers papers_;
};

TEST_F(MysqlTls, EncryptsIfAskedToAndChecksTheServersCertificate) {
  options_.address.tls = true;
  open();
  expect_work();
  EXPECT_NE(witness().text("SELECT variable_value FROM information_schema.session_status WHERE variable_name = "
                           "'Ssl_cipher'"),
            "");
  store_.reset();
  options_.address.tls_ca = papers_.authority;
  open();
  expect_work();
  store_.reset();
  MysqlOptions another_name = options_;
  another_name.address.host = "localhost";
  EXPECT_TRUE(absl::IsUnavailable(open_mysql(another_name).status()));
  options_.address.tls_ca = papers_.other_authority;
  const absl::Status refused = open_mysql(options_).status();
  EXPECT_TRUE(absl::IsUnavailable(refused)) << refused;
  EXPECT_THAT(refused.message(), testing::HasSubstr("certificate"));
}

TEST_F(MysqlFault, ATlsConnectionIsRefusedIfTheServerHasNone) {
  options_.address.tls = true;
  const absl::Status refused = open_mysql(options_).status();
  EXPECT_TRUE(absl::IsUnavailable(refused)) << refused;
  EXPECT_THAT(refused.message(), testing::HasSubstr("TLS"));
  const Papers papers(testing::TempDir());
  options_.address.tls_ca = papers.authority;
  const absl::Status refused_too = open_mysql(options_).status();
  EXPECT_TRUE(absl::IsUnavailable(refused_too)) << refused_too;
}

TEST_F(MysqlFault, LocalhostIsAHostAndNoSocket) {
  options_.address.host = "localhost";
  const std::string user = "'local_" + options_.address.database + "'@'%'";
  witness_ = std::make_unique<Witness>(fresh_database(shared_mariadb()));
  witness().run("CREATE USER " + user + " IDENTIFIED BY 'local'");
  witness().run("GRANT ALL ON *.* TO " + user);
  options_.address.user = "local_" + options_.address.database;
  options_.address.password = "local";
  open();
  expect_work();
}

class MysqlIpv6 : public MysqlFault {};

TEST_F(MysqlIpv6, IsReached) {
  std::ifstream addresses("/proc/net/if_inet6");
  if (addresses.peek() == std::ifstream::traits_type::eof()) GTEST_SKIP() << "this machine has no IPv6";
  samples::PrivateMariadb server;
  ASSERT_EQ(server.start({"--bind-address=127.0.0.1,::1"}), absl::OkStatus());
  options_ = fresh_database(server);
  witness().run("CREATE USER 'six'@'::1' IDENTIFIED BY 'six'");
  witness().run("GRANT ALL ON *.* TO 'six'@'::1'");
  options_.address.host = "::1";
  options_.address.user = options_.address.password = "six";
  open();
  expect_work();
  store_.reset();
}

}  // namespace
}  // namespace skald::store
