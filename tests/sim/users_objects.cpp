// What users do to OmniConnections.
#include "users.hpp"

#include <algorithm>

namespace oco::sim {
namespace {

// Changes the object, and takes that back after a while, unless something else was changed there.
template<class T>
std::string flip(World& world, ManagedObject& object, T ManagedObject::*member, T value,
                 std::string what) {
    T before = object.*member;
    if (before == value)
        return {};
    object.*member = value;
    world.apply(object);
    const bool stays = world.dice.chance(0.15);
    if (!stays)
        world.later([&world, number = object.number, member, before, value] {
            ManagedObject& again = world.objects[static_cast<std::size_t>(number)];
            if (again.*member == value) {
                again.*member = before;
                world.apply(again);
            }
        });
    return what + " of " + shown(object.key) + (stays ? "" : ", for a while");
}

std::string change_role(World& world, Coverage&) {
    ManagedObject* object = world.any_object();
    if (object == nullptr || !object->manages[place(Field::base_role)])
        return {};
    object->role = world.dice.number(0, roles_of_each - 1);
    world.apply(*object);
    return "role of " + shown(object->key);
}

std::string change_attribute(World& world, Coverage&) {
    ManagedObject* object = world.any_object();
    if (object == nullptr || !object->manages[place(Field::attribute)])
        return {};
    ++object->attribute;
    object->attribute_present = world.dice.chance(0.75);
    world.apply(*object);
    return "attribute of " + shown(object->key);
}

std::string change_fields(World& world, Coverage&) {
    ManagedObject* object = world.any_object();
    if (object == nullptr)
        return {};
    Fields fields = object->manages;
    bool& one = fields[world.dice.index(fields.size())];
    one = !one;
    return fields == Fields{} ? std::string()
                              : flip(world, *object, &ManagedObject::manages, fields, "fields");
}

std::string suspend_object(World& world, Coverage&) {
    ManagedObject* object = world.any_object();
    return object == nullptr ? std::string()
                             : flip(world, *object, &ManagedObject::suspended, true, "suspension");
}

// By its id, or by the name that it has now.
std::string retarget(World& world, Coverage& coverage) {
    ManagedObject* object = world.any_object();
    if (object == nullptr)
        return {};
    Organization& org = world.org_of(*object);
    const auto living = org.living();
    if (living.empty())
        return {};
    coverage.met(Met::reference_flipped);
    const std::string id = world.dice.pick(living);
    if (world.dice.chance(0.5)) {
        object->connection_name.clear();
        return flip(world, *object, &ManagedObject::connection_id, id, "connectionID");
    }
    object->connection_id = id;
    return flip(world, *object, &ManagedObject::connection_name, org.connection(id)->name,
                "connectionName");
}

std::string change_instance(World& world, Coverage& coverage) {
    ManagedObject* object = world.any_object();
    if (object == nullptr)
        return {};
    coverage.met(Met::reference_flipped);
    return flip(world, *object, &ManagedObject::instance, world.dice.index(world.instances.size()),
                "instanceRef");
}

std::string change_secret_reference(World& world, Coverage& coverage) {
    ManagedObject* object = world.any_object();
    if (object == nullptr)
        return {};
    coverage.met(Met::reference_flipped);
    return flip(world, *object, &ManagedObject::secret, 1 - object->secret, "secretRef");
}

// Half the time a finalizer holds the deletion up.
std::string remake_object(World& world, Coverage&) {
    ManagedObject* object = world.any_object();
    if (object == nullptr)
        return {};
    const auto make = [&world, number = object->number] {
        world.make_again(number);
    };
    if (world.dice.chance(0.5)) {
        world.remove(*object);
        if (world.dice.chance(0.6))
            make();
        else
            world.later(make);
        return shown(object->key) + " deleted, and made again";
    }
    world.kube.terminate("omniconnections", object->key.first, object->key.second);
    object->terminating = true;
    world.excuse(*object);
    world.later([&world, number = object->number, make] {
        ManagedObject& gone = world.objects[static_cast<std::size_t>(number)];
        if (!gone.terminating)
            return;
        world.remove(gone);
        make();
    });
    return shown(object->key) + " is being deleted";
}

std::string add_contender(World& world, Coverage&) {
    const auto there = std::ranges::count_if(world.objects, &ManagedObject::there);
    if (there >= 7) {
        world.retire_one();
        return "an object is gone for good";
    }
    const ManagedObject* added = world.add_contender();
    return added == nullptr ? std::string() : shown(added->key) + " contends";
}

template<const char* const& Annotation>
std::string annotate(World& world, Coverage&) {
    const ManagedObject* object = world.any_object();
    if (object == nullptr)
        return {};
    world.excuse(*object);
    world.kube.merge(
        "omniconnections", object->key.first, object->key.second,
        {{"metadata", bj::object{{"annotations",
                                  bj::object{{Annotation, std::to_string(world.dice.bits())}}}}}});
    return std::string(Annotation) + " for " + shown(object->key);
}

constexpr const char* requested_at = "reconcile.omniconnection.io/requestedAt";
constexpr const char* force_at = "reconcile.omniconnection.io/forceAt";

// Somebody edits what is the operator's, or restores the object without its status.
std::string spoil_status(World& world, Coverage& coverage) {
    const ManagedObject* object = world.any_object();
    if (object == nullptr)
        return {};
    world.excuse(*object);
    bj::object status{{"dialect", "edited"}, {"failures", 7}};
    const bool wiped = world.dice.chance(0.6);
    if (wiped) {
        coverage.met(Met::status_wiped);
        const auto* there =
            world.kube.find("omniconnections", object->key.first, object->key.second);
        status.clear();
        for (const auto& [name, value] : there->at("status").as_object())
            status[name] = nullptr;
        status["observedGeneration"] = -1;
    }
    world.kube.merge("omniconnections", object->key.first, object->key.second,
                     {{"status", std::move(status)}});
    return "status of " + shown(object->key) + (wiped ? " wiped" : " edited");
}

constexpr UserAction of_objects[] = {
    {6, change_role},
    {4, change_attribute},
    {4, change_fields},
    {4, suspend_object},
    {8, retarget},
    {4, change_instance},
    {5, change_secret_reference},
    {6, remake_object},
    {5, add_contender},
    {2, annotate<requested_at>},
    {2, annotate<force_at>},
    {4, spoil_status},
};

} // namespace

std::span<const UserAction> object_actions() {
    return of_objects;
}

} // namespace oco::sim
