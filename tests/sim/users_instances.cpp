// What users do to OmniInstances, to their keys, and to namespaces.
#include "users.hpp"

namespace oco::sim {
namespace {

using Settings = ManagedInstance::Settings;

// Changes the instance, and takes that back after a while.
template<class T>
void flip_setting(World& world, ManagedInstance& instance, T Settings::*member, T value) {
    T before = instance.settings.*member;
    instance.settings.*member = value;
    world.excuse_users_of(instance);
    instance.apply();
    if (world.dice.chance(0.1))
        return;
    world.later([&world, &instance, member, before, value] {
        if (!(instance.settings.*member == value))
            return;
        instance.settings.*member = before;
        world.excuse_users_of(instance);
        instance.apply();
    });
}

std::string change_allowed_namespaces(World& world, Coverage& coverage) {
    using From = InstanceFacts::From;
    ManagedInstance& instance = world.any_instance();
    constexpr From choices[] = {From::same, From::all, From::selector};
    const From from = world.dice.pick(choices);
    if (from == instance.settings.allowed_from)
        return {};
    coverage.met(Met::namespaces_flipped);
    flip_setting(world, instance, &Settings::allowed_from, from);
    return "allowedNamespaces of " + shown(instance.name());
}

std::string change_allowed_connections(World& world, Coverage& coverage) {
    ManagedInstance& instance = world.any_instance();
    std::set<std::string> allowed;
    for (const auto& id : instance.org().living())
        if (world.dice.chance(0.6))
            allowed.insert(id);
    coverage.met(Met::connections_flipped);
    flip_setting(world, instance, &Settings::allowed_connections, std::optional(allowed));
    return "allowedConnections of " + shown(instance.name());
}

std::string suspend_instance(World& world, Coverage&) {
    ManagedInstance& instance = world.any_instance();
    flip_setting(world, instance, &Settings::suspended, true);
    return "suspension of " + shown(instance.name());
}

std::string change_limit(World& world, Coverage&) {
    constexpr int limits[] = {8, 30, 60, 300};
    ManagedInstance& instance = world.any_instance();
    instance.settings.limit = world.dice.pick(limits);
    instance.apply();
    return "limit of " + shown(instance.name());
}

// Another key, with its Secret, or also another organization.
std::string move_instance(World& world, Coverage& coverage) {
    ManagedInstance& instance = world.any_instance();
    const Settings before = instance.settings;
    if (world.dice.chance(0.3))
        instance.settings.org = 1 - instance.settings.org;
    instance.settings.key = world.dice.index(4);
    coverage.met(Met::instance_moved);
    for (const auto& other : world.instances)
        if (other.get() != &instance && other->settings.org == before.org &&
            other->settings.key == before.key && other->settings.limit > before.limit)
            coverage.met(Met::shared_limit_rose);
    const auto apply = [&world, &instance] {
        world.excuse_users_of(instance);
        if (world.dice.chance(0.5)) {
            instance.apply();
            instance.write_secret();
        } else {
            instance.write_secret();
            instance.apply();
        }
    };
    apply();
    world.later([&instance, before, apply] {
        instance.settings.org = before.org;
        instance.settings.key = before.key;
        apply();
    });
    return shown(instance.name()) + " has another key, for a while";
}

std::string remake_instance(World& world, Coverage& coverage) {
    ManagedInstance& instance = world.any_instance();
    for (const auto& other : world.instances)
        if (other.get() != &instance && other->settings.org == instance.settings.org &&
            other->settings.key == instance.settings.key &&
            other->settings.limit > instance.settings.limit)
            coverage.met(Met::shared_limit_rose);
    world.excuse_users_of(instance);
    instance.remove();
    world.later([&world, &instance] {
        world.excuse_users_of(instance);
        instance.make_somehow();
    });
    return shown(instance.name()) + " deleted, and made again later";
}

std::string rotate_key(World& world, Coverage&) {
    const std::size_t org = world.dice.index(world.orgs.size());
    const std::size_t key = world.dice.index(world.orgs[org].keys.size());
    world.orgs[org].replace_key(key);
    world.excuse_all();
    if (world.dice.chance(0.5))
        world.write_key_secrets(org, key);
    else
        world.time.after(world.dice.duration({}, std::chrono::seconds(20)),
                         [&world, org, key] { world.write_key_secrets(org, key); });
    return "a key for " + world.orgs[org].host() + " rotated";
}

std::string change_label(World& world, Coverage& coverage) {
    const std::string ns(world.dice.pick(tenant_names));
    coverage.met(Met::label_flipped);
    world.excuse_all();
    world.tenants.change_label(ns);
    if (!world.dice.chance(0.1))
        world.later([&world, ns] {
            world.excuse_all();
            world.tenants.restore_label(ns);
        });
    return "label of " + ns;
}

constexpr UserAction of_instances[] = {
    {6, change_allowed_namespaces},
    {5, change_allowed_connections},
    {3, suspend_instance},
    {3, change_limit},
    {4, move_instance},
    {4, remake_instance},
    {3, rotate_key},
    {5, change_label},
};

} // namespace

std::span<const UserAction> instance_actions() {
    return of_instances;
}

} // namespace oco::sim
