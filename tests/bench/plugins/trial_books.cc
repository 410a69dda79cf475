#include "tests/bench/plugins/trial_books.h"

#include <filesystem>
#include <stdexcept>

#include <nlohmann/json.hpp>
#include <unistd.h>

#include "plugins/sdk/mysql_session.h"

namespace skald::bench {

TrialBooks::TrialBooks(std::string store, const std::string& folder)
    : store_(std::move(store)), folder_(folder + "/skald-effects-" + std::to_string(getpid())) {
  std::filesystem::create_directories(folder_);
  if (store_ != "mysql") return;
  server_ = std::make_unique<samples::PrivateMariadb>(folder_ + "/mariadb");
  if (auto status = server_->start(); !status.ok()) throw std::runtime_error(std::string(status.message()));
}

TrialBooks::~TrialBooks() {
  server_.reset();
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

std::string TrialBooks::new_data_path() {
  const std::string name = "trial" + std::to_string(++made_);
  if (server_ == nullptr) return folder_ + "/" + name;
  const auto& address = server_->address();
  const nlohmann::json login = {{"host", address.host},
                                {"port", address.port},
                                {"user", address.user},
                                {"password", address.password},
                                {"database", name}};
  return "mysql:" + login.dump();
}

TrialBooks::Counters TrialBooks::counters() {
  if (server_ == nullptr) return {};
  const auto& address = server_->address();
  plugin::MysqlSession session({.host = address.host,
                                .port = address.port,
                                .user = address.user,
                                .password = address.password,
                                .database = "counters"});
  session.connect();
  const auto read = [&](const std::string& name) {
    return std::stoll(plugin::text(session.execute("SHOW GLOBAL STATUS LIKE '" + name + "'").rows.at(0).at(1)));
  };
  return {read("Questions"), read("Com_commit")};
}

}  // namespace skald::bench
