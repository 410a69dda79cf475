#include <cstdio>
#include <filesystem>
#include <thread>

#include <gmock/gmock.h>
#include <httplib.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "tests/unit/kit/http_client_fixture.h"

namespace skald::plugin {
namespace {

using testing::HasSubstr;

// A key, and a certificate of its own for an address.
class Identity {
 public:
  explicit Identity(const char* address) {
    X509_set_version(certificate_.get(), 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate_.get()), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate_.get()), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate_.get()), 3600);
    X509_set_pubkey(certificate_.get(), key_.get());
    X509_NAME* const name = X509_get_subject_name(certificate_.get());
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("a test"), -1, -1, 0);
    X509_set_issuer_name(certificate_.get(), name);
    X509_EXTENSION* const names = X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, address);
    X509_add_ext(certificate_.get(), names, -1);
    X509_EXTENSION_free(names);
    X509_sign(certificate_.get(), key_.get(), EVP_sha256());
  }
  X509* certificate() const { return certificate_.get(); }
  EVP_PKEY* key() const { return key_.get(); }

 private:
  std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key_{EVP_RSA_gen(2048), EVP_PKEY_free};
  std::unique_ptr<X509, decltype(&X509_free)> certificate_{X509_new(), X509_free};
};

class HttpTls : public HttpClientTest {
 protected:
  ~HttpTls() override {
    if (server_ != nullptr) server_->stop();
    if (thread_.joinable()) thread_.join();
    std::filesystem::remove(ca_file_);
  }
  // Serves with this certificate, which is written to ca_file_ too.
  void serve(const Identity& identity) {
    FILE* const file = std::fopen(ca_file_.c_str(), "w");
    PEM_write_X509(file, identity.certificate());
    std::fclose(file);
    server_ = std::make_unique<httplib::SSLServer>(identity.certificate(), identity.key());
    server_->set_keep_alive_max_count(1);
    server_->Get("/", [](const httplib::Request&, httplib::Response& response) { response.body = "safe"; });
    port_ = server_->bind_to_any_port("127.0.0.1");
    thread_ = std::thread([this] { server_->listen_after_bind(); });
    while (!server_->is_running()) std::this_thread::yield();
  }
  void trust() {
    HttpOptions options = quick();
    options.ca_file = ca_file_;
    use(options);
  }
  HttpRequest request() const { return get("https://127.0.0.1:" + std::to_string(port_) + "/"); }

  const std::string ca_file_ =
      testing::TempDir() + testing::UnitTest::GetInstance()->current_test_info()->name() + ".pem";
  std::unique_ptr<httplib::SSLServer> server_;
  int port_ = 0;
  std::thread thread_;
};

TEST_F(HttpTls, TrustsWhatItIsTold) {
  serve(Identity("IP:127.0.0.1"));
  trust();
  EXPECT_EQ(send(request()).get().body, "safe");
}

TEST_F(HttpTls, TrustsNobodyElse) {
  serve(Identity("IP:127.0.0.1"));
  const ActivityError error = error_of(send(request()));
  EXPECT_EQ(error.type, "HttpUnreachable");
  EXPECT_THAT(error.what(), HasSubstr("certificate"));
}

TEST_F(HttpTls, TrustsNobodyUnderAnotherName) {
  serve(Identity("DNS:shop.invalid"));
  trust();
  EXPECT_EQ(error_type(send(request())), "HttpUnreachable");
}

}  // namespace
}  // namespace skald::plugin
