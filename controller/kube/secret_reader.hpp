// Reads Secrets for many who may want the same one at the same time: of each there is one read at a
// time, and all who come while it is under way share the next.
#pragma once

#include "kube/secret.hpp"
#include "rt/event.hpp"
#include "rt/task_group.hpp"

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <vector>

namespace oco::kube {

class SecretReader {
  public:
    SecretReader(rt::Runtime& runtime, Client& client, rt::TaskGroup& tasks)
        : runtime_(runtime), client_(client), tasks_(tasks) {}

    SecretReader(const SecretReader&) = delete; // reads know it
    SecretReader& operator=(const SecretReader&) = delete;
    ~SecretReader() = default;

    // As read_secret(). The request begins after this was called.
    asio::awaitable<Result<SecretRead>> read(ObjectKey key, std::vector<std::string> wanted,
                                             std::string not_older_than);

  private:
    // Those who share one read.
    struct Group {
        std::set<std::string> wanted;
        std::string not_older_than;
        std::vector<std::shared_ptr<rt::Event>> members;
        std::optional<Result<SecretRead>> result;
    };

    asio::awaitable<void> run(ObjectKey key);

    rt::Runtime& runtime_;
    Client& client_;
    rt::TaskGroup& tasks_;
    // Of the Secrets that are being read: who comes next. Null: nobody.
    std::map<ObjectKey, std::shared_ptr<Group>> next_;
};

} // namespace oco::kube
