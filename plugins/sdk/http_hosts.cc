#include "plugins/sdk/http_hosts.h"

namespace skald::plugin {
namespace {

constexpr size_t kMostHosts = 1000;

}  // namespace

std::shared_ptr<HttpHost> HttpHosts::at(const std::string& origin) {
  std::lock_guard lock(mutex_);
  if (hosts_.size() >= kMostHosts && !hosts_.contains(origin)) {
    std::erase_if(hosts_, [](const auto& each) {
      return each.second.use_count() == 1 && each.second->shut_for() == std::chrono::milliseconds(0);
    });
  }
  std::shared_ptr<HttpHost>& host = hosts_[origin];
  if (host == nullptr) {
    host = std::make_shared<HttpHost>(options_);
    if (stopped_) host->bulkhead->stop();
  }
  return host;
}

std::vector<std::shared_ptr<HttpHost>> HttpHosts::all() {
  std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<HttpHost>> out;
  for (const auto& [origin, host] : hosts_) out.push_back(host);
  return out;
}

void HttpHosts::sweep() {
  for (const auto& host : all()) host->bulkhead->sweep();
}

void HttpHosts::stop() {
  {
    std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  for (const auto& host : all()) host->bulkhead->stop();
}

}  // namespace skald::plugin
