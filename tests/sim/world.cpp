#include "world.hpp"

#include "base/base64.hpp"

#include <utility>

namespace oco::sim {
namespace {

constexpr int most_connections = 6;
constexpr const char* roles[] = {"VIEWER", "QUERIER", "CONNECTION_ADMIN", "NO_ACCESS"};

std::pair<std::string, std::string> split(const std::string& key) {
    const auto slash = key.find('/');
    return {key.substr(0, slash), key.substr(slash + 1)};
}

int choose_limit(Dice& dice) {
    constexpr int choices[] = {60, 30, 300, 8};
    return dice.pick(choices);
}

} // namespace

emulator::Seed World::make_content(std::uint64_t seed) {
    Dice dice(seed, "content");
    emulator::Seed content;
    for (int number = 0; number < most_connections; ++number) {
        emulator::Connection connection;
        connection.id = connection_id_of_number(number);
        connection.name = "Warehouse " + std::to_string(number);
        connection.dialect = dice.chance(0.5) ? "postgres" : "redshift";
        content.connections.push_back(std::move(connection));
    }
    content.tokens.push_back({.text = "none yet"});
    return content;
}

World::World(test::SimRuntime& time, Network& network, std::uint64_t seed, PushOracle& oracle)
    : kube(time, seed), omni(time, seed, make_content(seed)), time_(time), oracle_(oracle),
      dice_(seed, "users"), instance(time, kube, omni, seed, choose_limit(dice_)) {
    network.listen(std::string("kubernetes"), kube);
    network.listen(std::string(omni_host), omni);
    kube.page_limit = dice_.chance(0.5) ? 2 : 500;
    constexpr StreamingLists kinds[] = {StreamingLists::offered, StreamingLists::offered,
                                        StreamingLists::refused, StreamingLists::unknown};
    kube.streaming_lists = kinds[dice_.index(4)];
    rotate_kube_token();
    for (const char* ns : {"operator", "team-a", "team-b"})
        kube.apply("namespaces", "", ns,
                   {{"metadata", bj::object{{"labels", bj::object{{"team", ns}}}}}});
    const int count = dice_.number(2, most_connections);
    for (int number = 0; number < count; ++number) {
        ManagedObject object{.ns = dice_.chance(0.7) ? "team-a" : "team-b",
                             .name = "warehouse-" + std::to_string(number),
                             .connection_id = connection_id_of_number(number),
                             .connection_name = dice_.chance(0.2)
                                                    ? "Warehouse " + std::to_string(number)
                                                    : std::string(),
                             .secret = {},
                             .spec = {}};
        object.spec["instanceRef"] =
            bj::object{{"name", instance_name}, {"namespace", instance_namespace}};
        if (object.connection_name.empty())
            object.spec["connectionID"] = object.connection_id;
        else
            object.spec["connectionName"] = object.connection_name;
        object.spec["driftCheckInterval"] = "0s";
        const bool has_credential = number == 0 || dice_.chance(0.9);
        if (has_credential) {
            object.secret = object.ns + "/db-" + std::to_string(number);
            object.spec["credentials"] = bj::object{
                {"repushInterval", "0s"},
                {"password",
                 bj::object{{"secretRef", bj::object{{"name", split(object.secret).second},
                                                     {"key", "password"}}}}}};
            create_secret(object.secret);
        }
        if (!has_credential || dice_.chance(0.5))
            object.spec["baseRole"] = roles[dice_.index(4)];
        objects_.push_back(object);
        create(object);
    }
    // Secrets that nobody names.
    for (int number = 0; number < 3; ++number)
        create_secret("team-b/unrelated-" + std::to_string(number));
}

std::string World::new_value(std::string_view what) {
    return "confidential-" + std::string(what) + "-" + std::to_string(++made_) + "-" +
           std::to_string(dice_.bits());
}

void World::write_secret(const std::string& secret, const std::string& value) {
    const auto [ns, name] = split(secret);
    kube.apply("secrets", ns, name,
               {{"type", "Opaque"},
                {"metadata", bj::object{{"annotations", bj::object{{"kubectl.kubernetes.io/"
                                                                    "last-applied-configuration",
                                                                    value}}}}},
                {"data", bj::object{{"password", base64::encode(value)}}}});
    if (values_[secret] != value)
        previous_[secret] = std::exchange(values_[secret], value);
    oracle_.value_written(secret, value);
}

void World::create_secret(const std::string& secret) {
    write_secret(secret, new_value("password"));
}

void World::rotate(const std::string& secret) {
    ++rotations;
    write_secret(secret, new_value("password"));
}

void World::retire_one() {
    if (objects_.size() < 2)
        return;
    const auto one = objects_.begin() + static_cast<std::ptrdiff_t>(dice_.index(objects_.size()));
    kube.remove("omniconnections", one->ns, one->name);
    oracle_.retired(one->connection_id);
    retired_.push_back(std::move(*one));
    objects_.erase(one);
}

void World::turn_back(const std::string& value) {
    for (const auto& [secret, current] : values_)
        if (const auto before = previous_.find(secret);
            current == value && before != previous_.end() && !before->second.empty()) {
            const std::string key = secret;
            write_secret(key, std::string(before->second));
            return;
        }
}

void World::turn_over(const std::string& value) {
    for (const auto& [secret, current] : values_)
        if (current == value)
            return rotate(std::string(secret));
}

void World::rotate_retired() {
    for (const auto& object : retired_)
        if (!object.secret.empty())
            rotate(object.secret);
}

void World::rotate_kube_token() {
    kube_token_ = new_value("serviceaccount");
    kube.tokens = {kube_token_};
}

void World::create(const ManagedObject& object) {
    apply_spec(object);
    oracle_.excuse(object.connection_id);
}

void World::apply_spec(const ManagedObject& object) {
    kube.apply("omniconnections", object.ns, object.name, {{"spec", object.spec}});
}

void World::annotate(const ManagedObject& object, const std::string& name) {
    kube.merge(
        "omniconnections", object.ns, object.name,
        {{"metadata", bj::object{{"annotations", bj::object{{name, std::to_string(++notes_)}}}}}});
}

void World::excuse_users_of(const std::string& secret) {
    for (const auto& object : objects_)
        if (object.secret == secret)
            oracle_.excuse(object.connection_id);
}

std::string World::change_role(ManagedObject& object) {
    if (!object.spec.contains("baseRole"))
        return "nothing";
    object.spec["baseRole"] = roles[dice_.index(4)];
    apply_spec(object);
    return "role of " + object.name;
}

std::string World::change_attribute(ManagedObject& object) {
    const bool present = dice_.chance(0.7);
    object.spec["environmentUserAttribute"] =
        present ? bj::object{{"state", "Present"},
                             {"attributeName", "region"},
                             {"defaultValues", bj::array{std::to_string(++notes_), "eu"}}}
                : bj::object{{"state", "Absent"}};
    apply_spec(object);
    return "attribute of " + object.name;
}

std::string World::edit_status(const ManagedObject& object) {
    kube.merge("omniconnections", object.ns, object.name,
               {{"status", bj::object{{"dialect", "edited"}, {"failures", 7}}}});
    return "status of " + object.name + " edited";
}

std::string World::recreate(const ManagedObject& object) {
    kube.remove("omniconnections", object.ns, object.name);
    create(object);
    return object.name + " made again";
}

std::string World::act() {
    ManagedObject& object = objects_[dice_.index(objects_.size())];
    const int roll = dice_.number(1, 100);
    const bool with_secret = !object.secret.empty();
    if (roll <= 50 && with_secret) {
        const int times = dice_.chance(0.2) ? dice_.number(2, 4) : 1;
        for (int i = 0; i < times; ++i)
            time_.after(i * dice_.duration(rt::Duration::zero(), std::chrono::milliseconds(300)),
                        [this, secret = object.secret] { rotate(secret); });
        return "rotation of " + object.secret + (times > 1 ? " in a hurry" : "");
    }
    if (roll <= 56 && with_secret) {
        const auto [ns, name] = split(object.secret);
        kube.merge(
            "secrets", ns, name,
            {{"metadata", bj::object{{"labels", bj::object{{"note", std::to_string(++notes_)}}}}}});
        return "label on " + object.secret;
    }
    if (roll <= 60 && with_secret) {
        const auto [ns, name] = split(object.secret);
        kube.merge("secrets", ns, name,
                   {{"data", bj::object{{"other", base64::encode(std::to_string(++notes_))}}}});
        return "another key in " + object.secret;
    }
    if (roll <= 64 && with_secret) {
        const auto [ns, name] = split(object.secret);
        kube.remove("secrets", ns, name);
        time_.after(dice_.duration(rt::Duration::zero(), std::chrono::seconds(20)),
                    [this, secret = object.secret, same = dice_.chance(0.5)] {
                        if (same)
                            write_secret(secret, values_.at(secret));
                        else
                            rotate(secret);
                    });
        return object.secret + " deleted, and made again";
    }
    if (roll <= 72)
        return change_role(object);
    if (roll <= 77)
        return change_attribute(object);
    if (roll <= 81)
        return recreate(object);
    if (roll <= 84) {
        annotate(object, "reconcile.omniconnection.io/requestedAt");
        return "request for " + object.name;
    }
    if (roll <= 87) {
        oracle_.excuse(object.connection_id);
        annotate(object, "reconcile.omniconnection.io/forceAt");
        return object.name + " forced";
    }
    if (roll <= 90) {
        object.spec["suspend"] = true;
        apply_spec(object);
        return object.name + " suspended";
    }
    if (roll <= 93) {
        calm_down();
        return "all resumed";
    }
    if (roll <= 95)
        return edit_status(object);
    if (roll <= 97) {
        rotate(dice_.chance(0.5) ? "team-b/unrelated-1" : "team-b/unrelated-2");
        return "an unrelated Secret";
    }
    instance.restore_key();
    return "key for Omni rotated";
}

void World::calm_down() {
    instance.make();
    for (auto& object : objects_)
        if (object.spec.erase("suspend") != 0)
            apply_spec(object);
}

} // namespace oco::sim
