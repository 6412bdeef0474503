#include "omni_orgs.hpp"

#include "base/time.hpp"
#include "marks.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>

namespace oco::sim {
namespace {

constexpr int first_connections = 5;

std::string list_text(const std::vector<std::string>& values) {
    bj::array list;
    for (const auto& value : values)
        list.emplace_back(value);
    return bj::serialize(list);
}

} // namespace

emulator::Seed Organization::make_content(std::uint64_t seed, const std::string& host) {
    Dice dice(seed, "content " + host);
    emulator::Seed content;
    for (int number = 0; number < first_connections; ++number) {
        emulator::Connection connection;
        connection.id = connection_id_of_number(number);
        connection.name = "Warehouse " + std::to_string(number);
        connection.dialect = dice.chance(0.5) ? "postgres" : "redshift";
        content.connections.push_back(std::move(connection));
    }
    for (int object = 0; object < most_objects; ++object)
        for (int choice = 0; choice < roles_of_each; ++choice)
            content.custom_roles.insert(marked_role(object, choice));
    content.tokens.push_back({.text = "none yet"});
    return content;
}

Organization::Organization(test::SimRuntime& time, std::uint64_t seed, std::string host)
    : omni(time, seed, host, make_content(seed, host)), time_(time), dice_(seed, "org " + host),
      connections_(first_connections) {
    for (const auto& [id, connection] : omni.content().connections())
        note_name(id);
    std::set<std::string> some;
    for (int number = 0; number < first_connections; ++number)
        if (dice_.chance(0.6))
            some.insert(connection_id_of_number(number));
    keys.resize(4);
    keys[2].changes = some;
    keys[2].reading.sees = some;
    keys[3].reading.list = false;
    keys[3].reading.get = dice_.chance(0.4);
    for (std::size_t place = 0; place < keys.size(); ++place)
        replace_key(place);
}

// --- connections -------------------------------------------------------------------------------

const emulator::Connection* Organization::connection(const std::string& id) const {
    const auto& all = omni.content().connections();
    const auto known = all.find(id);
    return known == all.end() ? nullptr : &known->second;
}

bool Organization::lives(const std::string& id) const {
    const auto* known = connection(id);
    return known != nullptr && !known->is_deleted();
}

std::vector<std::string> Organization::living() const {
    std::vector<std::string> out;
    for (const auto& [id, connection] : omni.content().connections())
        if (!connection.is_deleted())
            out.push_back(id);
    return out;
}

bool Organization::was_named_since(const std::string& id, const std::string& name,
                                   rt::TimePoint since) const {
    const auto steps = names_.find(id);
    if (steps == names_.end())
        return false;
    for (auto step = steps->second.rbegin(); step != steps->second.rend(); ++step) {
        if (step->name == name)
            return true;
        if (step->when <= since)
            return false;
    }
    return false;
}

std::vector<std::string> Organization::named(const std::string& name, const ApiKey& key) const {
    std::vector<std::string> out;
    for (const auto& [id, connection] : omni.content().connections())
        if (!connection.is_deleted() && connection.name == name && key.reading.shows(id))
            out.push_back(id);
    return out;
}

std::string Organization::add_connection(const std::string& name) {
    emulator::Connection connection;
    connection.id = connection_id_of_number(connections_++);
    connection.name = name;
    std::string id = connection.id;
    omni.content().put_connection(std::move(connection));
    note_name(id);
    return id;
}

void Organization::rename(const std::string& id, const std::string& name) {
    emulator::Connection renamed = omni.content().connections().at(id);
    renamed.name = name;
    omni.content().put_connection(std::move(renamed));
    note_name(id);
}

void Organization::remove(const std::string& id) {
    if (dice_.chance(0.5))
        omni.content().purge_connection(id);
    else
        omni.content().delete_connection(id, format_rfc3339(time_.wall_now()));
    note_name(id);
}

void Organization::note_name(const std::string& id) {
    names_[id].push_back(
        {.when = time_.now(), .name = lives(id) ? connection(id)->name : std::string()});
}

// --- keys --------------------------------------------------------------------------------------

void Organization::publish_keys() {
    std::vector<emulator::Token> tokens;
    omni.reading.clear();
    for (const auto& key : keys) {
        if (!key.accepted)
            continue;
        emulator::Token token{.text = key.text, .admin = !key.changes, .connections = {}};
        if (key.changes)
            token.connections = *key.changes;
        tokens.push_back(std::move(token));
        omni.reading[key.text] = key.reading;
    }
    omni.content().set_tokens(std::move(tokens));
}

void Organization::replace_key(std::size_t place) {
    keys[place].text =
        "confidential-key-" + std::to_string(++made_) + "-" + std::to_string(dice_.bits());
    publish_keys();
}

const ApiKey* Organization::accepted_key(const std::string& text) const {
    const auto known = std::ranges::find(keys, text, &ApiKey::text);
    return known == keys.end() || !known->accepted ? nullptr : &*known;
}

// --- what is stored ----------------------------------------------------------------------------

void Organization::note_stored(const OmniModel::Arrival& arrival) {
    const Push push = push_of(arrival.request);
    const auto note = [&](Field field, const std::string& value) {
        stored_[{push.connection_id, field}].push_back(
            {.when = time_.now(), .client = arrival.client, .late = arrival.late, .value = value});
    };
    if (!push.value.empty())
        note(Field::credential, push.value);
    if (!push.base_role.empty())
        note(Field::base_role, push.base_role);
    if (push.attribute)
        note(Field::attribute, push.attribute->name + push.attribute->values);
}

bool Organization::held_since(const std::string& id, Field field, const std::string& value,
                              rt::TimePoint since) const {
    const auto known = stored_.find({id, field});
    if (known == stored_.end())
        return false;
    for (auto step = known->second.rbegin(); step != known->second.rend(); ++step) {
        if (step->value == value)
            return true;
        if (step->when <= since)
            return false;
    }
    return false;
}

const Stored* Organization::last_stored(const std::string& id, Field field) const {
    const auto known = stored_.find({id, field});
    return known == stored_.end() ? nullptr : &known->second.back();
}

bool Organization::holds(const std::string& id, Field field, const ObjectFacts& object,
                         const std::string& password) const {
    const auto* there = connection(id);
    if (!object.manages[place(field)])
        return true;
    if (there == nullptr)
        return false;
    switch (field) {
    case Field::credential:
        return there->password == password;
    case Field::base_role:
        return there->base_role == object.base_role;
    case Field::attribute:
        if (!there->environment)
            return object.attribute_name.empty();
        return there->environment->attribute_name == object.attribute_name &&
               list_text(there->environment->default_values) == object.attribute_values;
    }
    return false;
}

// --- all of them -------------------------------------------------------------------------------

Organizations::Organizations(test::SimRuntime& time, Network& network, std::uint64_t seed) {
    for (const auto host : omni_hosts) {
        all_.push_back(std::make_unique<Organization>(time, seed, std::string(host)));
        network.listen(std::string(host), all_.back()->omni);
    }
}

const Organization* Organizations::at(const std::string& host) const {
    const auto known =
        std::ranges::find_if(all_, [&](const auto& one) { return one->host() == host; });
    return known == all_.end() ? nullptr : known->get();
}

Organization* Organizations::at(const std::string& host) {
    return const_cast<Organization*>(std::as_const(*this).at(host));
}

} // namespace oco::sim
