#include "kube/secret_reader.hpp"

#include <utility>

namespace oco::kube {

asio::awaitable<Result<SecretRead>>
SecretReader::read(ObjectKey key, std::vector<std::string> wanted, std::string not_older_than) {
    const auto [line, idle] = next_.try_emplace(key);
    if (!line->second)
        line->second =
            std::make_shared<Group>(Group{.wanted = {}, .not_older_than = not_older_than});
    const auto group = line->second;
    group->wanted.insert(wanted.begin(), wanted.end());
    if (group->not_older_than != not_older_than)
        group->not_older_than.clear(); // the newest is new enough for all
    const auto done = group->members.emplace_back(std::make_shared<rt::Event>(runtime_));
    if (idle)
        tasks_.spawn(run(std::move(key)));
    co_await done->wait();
    co_return *group->result;
}

asio::awaitable<void> SecretReader::run(ObjectKey key) {
    while (const auto group = std::exchange(next_[key], nullptr)) {
        group->result = co_await read_secret(
            client_, key, {group->wanted.begin(), group->wanted.end()}, group->not_older_than);
        for (const auto& member : group->members)
            member->notify();
    }
    next_.erase(key);
}

} // namespace oco::kube
