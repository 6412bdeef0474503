#include "holders.hpp"

namespace oco::sim {

std::optional<Target> Holders::target(const ObjectFacts& object) const {
    const auto* instance = truth_.instance(object.instance);
    if (instance == nullptr)
        return std::nullopt;
    if (object.connection_name.empty())
        return Target{instance->host, object.connection_id};
    const auto* status = truth_.status(object.key);
    if (status == nullptr || status->connection_id.empty())
        return std::nullopt;
    // Where the instance is at another host now, the name has to be resolved anew.
    if (!status->target.host.empty() && status->target.host != instance->host)
        return std::nullopt;
    return Target{instance->host, status->connection_id};
}

const ApiKey* Holders::key_of(const InstanceFacts& instance) const {
    const auto* secret = truth_.secret(instance.token_secret);
    const auto* org = orgs_.at(instance.host);
    return secret == nullptr || org == nullptr ? nullptr : org->accepted_key(secret->token);
}

bool Holders::claims(const ObjectFacts& object) const {
    const auto* instance = truth_.instance(object.instance);
    const auto target = this->target(object);
    return !object.terminating && target && instance->allows_connection(target->id) &&
           truth_.allows_namespace(*instance, object.key.first);
}

Holders::Rank Holders::rank(const ObjectFacts& object) const {
    if (!claims(object))
        return Rank::none;
    const auto* instance = truth_.instance(object.instance);
    const auto target = this->target(object);
    const auto* status = truth_.status(object.key);
    const bool tells = status != nullptr && status->target == *target;
    if (tells && status->applied_anything())
        return Rank::proved;
    const auto* key = key_of(*instance);
    // While nothing can be asked, what was sent proves it too: only a holder sends.
    if (key == nullptr || instance->suspended)
        return tells && status->sent_anything() ? Rank::proved : Rank::none;
    if (!key->reading.list)
        return Rank::behind;
    const auto* org = orgs_.at(target->host);
    return key->reading.shows(target->id) && org->lives(target->id) ? Rank::proved : Rank::none;
}

std::optional<Name> Holders::holder(const Target& target, Field field) const {
    const ObjectFacts* best = nullptr;
    Rank best_rank = Rank::none;
    for (const auto& [name, history] : truth_.objects) {
        const auto* object = newest(history);
        if (object == nullptr || !object->manages[place(field)] || this->target(*object) != target)
            continue;
        const Rank its = rank(*object);
        if (its == Rank::none)
            continue;
        if (best == nullptr || its < best_rank || (its == best_rank && object->older_than(*best))) {
            best = object;
            best_rank = its;
        }
    }
    return best == nullptr ? std::nullopt : std::optional(best->key);
}

bool Holders::uncertain(const Name& holder, const Target& target) const {
    const auto* object = truth_.object(holder);
    const auto* status = truth_.status(holder);
    const bool by_status =
        status != nullptr && status->target == target && status->applied_anything();
    return object != nullptr && object->suspended && !by_status;
}

} // namespace oco::sim
