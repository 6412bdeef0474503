// What is done in Omni itself: to connections, and to the rights of keys.
#include "users.hpp"

namespace oco::sim {
namespace {

struct Chosen {
    Organization* org = nullptr;
    std::string id;
};

// Rather one that an object names.
Chosen any_connection(World& world) {
    if (const ManagedObject* object = world.any_object(); object && world.dice.chance(0.8)) {
        Organization& org = world.org_of(*object);
        const auto* status = world.truth.status(object->key);
        const std::string id = status == nullptr ? std::string() : status->connection_id;
        if (org.lives(id))
            return {&org, id};
    }
    Organization& org = world.orgs[world.dice.index(world.orgs.size())];
    const auto living = org.living();
    return living.empty() ? Chosen{} : Chosen{&org, world.dice.pick(living)};
}

// The name is free afterwards, or another connection takes it, or it comes back.
std::string rename(World& world, Coverage& coverage) {
    const Chosen one = any_connection(world);
    if (one.org == nullptr)
        return {};
    const std::string name = one.org->connection(one.id)->name;
    world.excuse_all();
    one.org->rename(one.id, name + " (old)");
    std::string what = name + " of " + one.org->host() + " renamed";
    if (world.dice.chance(0.6)) {
        coverage.met(Met::name_taken_by_another);
        one.org->add_connection(name);
        what += ", and another has the name";
    } else if (world.dice.chance(0.6)) {
        world.later([one, name] {
            if (one.org->lives(one.id))
                one.org->rename(one.id, name);
        });
    }
    return what;
}

std::string remake_connection(World& world, Coverage& coverage) {
    const Chosen one = any_connection(world);
    if (one.org == nullptr)
        return {};
    const std::string name = one.org->connection(one.id)->name;
    world.excuse_all();
    one.org->remove(one.id);
    world.later([&world, &coverage, one, name] {
        coverage.met(Met::name_taken_by_another);
        const std::string id = one.org->add_connection(name);
        // Who named the old one by its id names the new one, sooner or later.
        for (auto& object : world.objects)
            if (object.connection_id == one.id && &world.org_of(object) == one.org &&
                world.dice.chance(0.7)) {
                object.connection_id = id;
                world.apply(object);
            }
    });
    return name + " of " + one.org->host() + " deleted, and made again later";
}

template<class Change>
std::string for_a_while(World& world, std::size_t org, std::size_t key, Change change) {
    ApiKey& one = world.orgs[org].keys[key];
    const ApiKey before = one;
    change(one);
    world.excuse_all();
    world.orgs[org].publish_keys();
    world.later([&world, org, key, before] {
        ApiKey& again = world.orgs[org].keys[key];
        again.accepted = before.accepted;
        again.reading = before.reading;
        again.changes = before.changes;
        world.excuse_all();
        world.orgs[org].publish_keys();
    });
    return "key " + std::to_string(key) + " of " + world.orgs[org].host();
}

// Rather the keys that are in use.
std::pair<std::size_t, std::size_t> any_key(World& world) {
    const auto& settings = world.any_instance().settings;
    return {settings.org, settings.key};
}

std::string refuse_key(World& world, Coverage&) {
    const auto [org, key] = any_key(world);
    return for_a_while(world, org, key, [](ApiKey& one) { one.accepted = false; }) +
           " is refused, for a while";
}

std::string refuse_list(World& world, Coverage&) {
    const auto [org, key] = any_key(world);
    const bool get = world.dice.chance(0.5);
    return for_a_while(world, org, key,
                       [get](ApiKey& one) {
                           one.reading.list = false;
                           one.reading.get = get;
                       }) +
           " may not list, for a while";
}

std::string hide_some(World& world, Coverage&) {
    const auto [org, key] = any_key(world);
    std::set<std::string> some;
    for (const auto& id : world.orgs[org].living())
        if (world.dice.chance(0.6))
            some.insert(id);
    return for_a_while(world, org, key,
                       [&some](ApiKey& one) {
                           one.reading.sees = some;
                           one.changes = some;
                       }) +
           " sees some connections only, for a while";
}

constexpr UserAction in_omni[] = {
    {6, rename}, {4, remake_connection}, {3, refuse_key}, {3, refuse_list}, {2, hide_some},
};

} // namespace

std::span<const UserAction> omni_actions() {
    return in_omni;
}

} // namespace oco::sim
