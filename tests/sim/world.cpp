#include "world.hpp"

#include <algorithm>

namespace oco::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr int limits[] = {60, 30, 300, 8};

InstanceFacts::From choose_from(Dice& dice) {
    using From = InstanceFacts::From;
    constexpr From choices[] = {From::all, From::all, From::selector, From::selector, From::same};
    return dice.pick(choices);
}

} // namespace

World::World(test::SimRuntime& runtime, Network& network, std::uint64_t seed, PushOracle& oracle)
    : time(runtime), oracle_(oracle), kube(runtime, seed), truth(runtime, kube),
      orgs(runtime, network, seed), tenants(kube),
      secrets(kube, seed,
              [this](const Name& secret, const std::string& value) {
                  oracle_.value_written(secret, value);
              }),
      dice(seed, "users") {
    network.listen(std::string("kubernetes"), kube);
    kube.page_limit = dice.chance(0.5) ? 5 : 500;
    constexpr StreamingLists kinds[] = {StreamingLists::offered, StreamingLists::offered,
                                        StreamingLists::refused, StreamingLists::unknown};
    kube.streaming_lists = dice.pick(kinds);
    rotate_kube_token();
    add_instances(seed);
    add_objects();
}

void World::rotate_kube_token() {
    kube_token_ = "confidential-serviceaccount-" + std::to_string(dice.bits());
    kube.tokens = {kube_token_};
}

// --- instances ---------------------------------------------------------------------------------

void World::add_instances(std::uint64_t seed) {
    const auto add = [&](const char* ns, const char* name, std::size_t org, std::size_t key) {
        ManagedInstance::Settings settings{
            .org = org,
            .key = key,
            .limit = dice.pick(limits),
            .allowed_from = choose_from(dice),
            .allowed_teams = {tenant_names.begin(), tenant_names.end()},
            .allowed_connections = {},
            .suspended = false};
        instances.push_back(
            std::make_unique<ManagedInstance>(time, kube, orgs, seed, Name(ns, name), settings));
    };
    add("team-a", "omni", 0, 0);
    // With the key of the first, or in the other organization.
    const bool shares = dice.chance(0.6);
    add("team-b", "omni", shares ? 0 : 1, shares ? 0 : 1);
    constexpr std::size_t keys[] = {0, 0, 2, 3};
    if (dice.chance(0.7))
        add("team-c", "omni", 1, dice.pick(keys));
    if (dice.chance(0.6))
        add("team-a", "omni-2", 0, dice.chance(0.5) ? 1 : dice.chance(0.5) ? 2 : 3);
}

ManagedInstance* World::instance_with(const std::string& host, const std::string& token) {
    const auto found = std::ranges::find_if(instances, [&](const auto& one) {
        return one->org().host() == host && one->key().text == token && one->exists();
    });
    return found == instances.end() ? nullptr : found->get();
}

void World::write_key_secrets(std::size_t org, std::size_t key) {
    for (const auto& instance : instances)
        if (instance->settings.org == org && instance->settings.key == key)
            instance->write_secret();
}

// One that allows the namespace, if there is one.
std::size_t World::choose_instance(const std::string& ns, std::optional<std::size_t> org) {
    std::vector<std::size_t> good;
    std::vector<std::size_t> possible;
    for (std::size_t place = 0; place < instances.size(); ++place) {
        const auto& settings = instances[place]->settings;
        if (org && settings.org != *org)
            continue;
        possible.push_back(place);
        if (settings.allowed_from != InstanceFacts::From::same ||
            instances[place]->name().first == ns)
            good.push_back(place);
    }
    return dice.pick(good.empty() ? possible : good);
}

// --- objects -----------------------------------------------------------------------------------

void World::add_objects() {
    objects.reserve(most_objects);
    const int count = dice.number(3, 4);
    for (int number = 0; number < count; ++number) {
        const auto instance = choose_instance(std::string(dice.pick(tenant_names)), std::nullopt);
        add_object(instance, connection_id_of_number(number));
    }
    const int contenders = dice.number(1, 2);
    for (int i = 0; i < contenders; ++i) {
        if (dice.chance(0.5))
            add_contender();
        else
            time.after(dice.duration(seconds(1), seconds(90)), [this] { add_contender(); });
    }
    for (int i = 0; i < 2; ++i)
        secrets.rotate({"team-b", "unrelated-" + std::to_string(i)}, most_objects);
}

ManagedObject* World::add_object(std::size_t instance, const std::string& connection_id) {
    if (objects.size() == most_objects)
        return nullptr;
    const auto number = static_cast<int>(objects.size());
    const std::string ns(dice.pick(tenant_names));
    ManagedObject& object = objects.emplace_back();
    object.number = number;
    object.key = {ns, "warehouse-" + std::to_string(number)};
    object.instance = choose_instance(ns, instances[instance]->settings.org);
    object.connection_id = connection_id;
    const auto* connection = org_of(object).connection(connection_id);
    if (connection != nullptr && dice.chance(0.35))
        object.connection_name = connection->name;
    object.manages = {dice.chance(0.85), dice.chance(0.45), dice.chance(0.25)};
    if (object.manages == Fields{})
        object.manages[place(Field::credential)] = true;
    object.attribute_present = dice.chance(0.8);
    apply(object);
    return &object;
}

ManagedObject* World::add_contender() {
    const ManagedObject* other = any_object();
    if (other == nullptr)
        return nullptr;
    return add_object(other->instance, other->connection_id);
}

ManagedObject* World::any_object() {
    std::vector<ManagedObject*> there;
    for (auto& object : objects)
        if (object.there && !object.terminating)
            there.push_back(&object);
    return there.empty() ? nullptr : dice.pick(there);
}

const ManagedObject* World::object_named(const Name& key) const {
    const auto found = std::ranges::find(objects, key, &ManagedObject::key);
    return found == objects.end() ? nullptr : &*found;
}

void World::apply(ManagedObject& object) {
    if (!object.there || object.terminating)
        return;
    if (secrets.value(object.secret_name()).empty())
        secrets.rotate(object.secret_name(), object.number);
    kube.apply("omniconnections", object.key.first, object.key.second,
               {{"spec", spec_of(object, instances[object.instance]->name())}});
    excuse(object);
}

void World::remove(ManagedObject& object) {
    kube.remove("omniconnections", object.key.first, object.key.second);
    object.there = object.terminating = false;
    excuse(object);
}

void World::make_again(int number) {
    ManagedObject& object = objects[static_cast<std::size_t>(number)];
    object.there |= !object.retired;
    apply(object);
}

void World::retire_one() {
    ManagedObject* object = any_object();
    const auto there = std::ranges::count_if(objects, &ManagedObject::there);
    if (object == nullptr || there < 2)
        return;
    remove(*object);
    object->retired = true;
    oracle_.retired(object->number);
}

void World::rotate_retired() {
    for (const auto& object : objects)
        if (!object.there)
            secrets.rotate(object.secret_name(), object.number);
}

// --- changes that come and go ------------------------------------------------------------------

void World::later(std::function<void()> undo) {
    const double roll = static_cast<double>(dice.number(0, 99));
    const auto wait = roll < 40   ? dice.duration(milliseconds(20), seconds(5))
                      : roll < 80 ? dice.duration(seconds(5), minutes(1))
                                  : dice.duration(minutes(1), minutes(8));
    time.at(std::min(time.now() + wait, std::max(quiet_at, time.now())), std::move(undo));
}

// One of several objects that name a connection is deleted, and somebody's finalizer never goes.
void World::terminate_a_rival(Coverage& coverage) {
    for (auto& object : objects) {
        const bool has_rival = std::ranges::any_of(objects, [&](const ManagedObject& other) {
            return other.there && other.number != object.number &&
                   targets(other) == targets(object);
        });
        if (!object.there || !has_rival)
            continue;
        coverage.met(Met::terminating_for_good);
        kube.terminate("omniconnections", object.key.first, object.key.second);
        object.terminating = true;
        return excuse(object);
    }
}

void World::calm_down(Coverage& coverage) {
    for (std::size_t org = 0; org < orgs.size(); ++org) {
        for (std::size_t key = 0; key < orgs[org].keys.size(); ++key) {
            ApiKey& one = orgs[org].keys[key];
            one.accepted |= dice.chance(0.9);
            one.reading.list |= key != 3 && dice.chance(0.9);
        }
        orgs[org].publish_keys();
    }
    for (auto& instance : instances) {
        instance->make();
        instance->settings.suspended &= dice.chance(0.1);
        instance->apply();
        instance->write_secret();
    }
    for (auto& object : objects)
        if (object.terminating)
            remove(object);
    if (dice.chance(0.4))
        terminate_a_rival(coverage);
    for (auto& object : objects) {
        if (!object.suspended)
            continue;
        object.suspended = dice.chance(0.1);
        apply(object);
    }
}

// --- why something may be sent again -----------------------------------------------------------

std::set<Target> World::targets(const ManagedObject& object) {
    Organization& org = org_of(object);
    if (object.connection_name.empty())
        return {{org.host(), object.connection_id}};
    std::set<Target> out;
    for (const auto& [id, connection] : org.omni.content().connections())
        if (org.was_named_since(id, object.connection_name, {}))
            out.insert({org.host(), id});
    return out;
}

void World::excuse(const ManagedObject& object) {
    const auto its = targets(object);
    for (const auto& other : objects) {
        const auto theirs = targets(other);
        if (other.number == object.number ||
            std::ranges::any_of(theirs, [&](const Target& one) { return its.contains(one); }))
            oracle_.excuse(other.number);
    }
}

void World::excuse_users_of(const ManagedInstance& instance) {
    for (const auto& object : objects)
        if (instances[object.instance].get() == &instance)
            excuse(object);
}

void World::excuse_all() {
    for (const auto& object : objects)
        oracle_.excuse(object.number);
}

} // namespace oco::sim
