// What users do to Secrets.
#include "users.hpp"

namespace oco::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

std::string rotate(World& world, Coverage&) {
    const ManagedObject* object = world.any_object();
    if (object == nullptr)
        return {};
    const int times = world.dice.chance(0.2) ? world.dice.number(2, 4) : 1;
    const Name secret = object->secret_name();
    for (int i = 0; i < times; ++i)
        world.time.after(
            i * world.dice.duration(rt::Duration::zero(), milliseconds(300)),
            [&world, secret, number = object->number] { world.secrets.rotate(secret, number); });
    return "rotation of " + shown(secret) + (times > 1 ? " in a hurry" : "");
}

template<void (SecretBook::*Change)(const Name&)>
std::string change_beside(World& world, Coverage&) {
    const ManagedObject* object = world.any_object();
    if (object == nullptr)
        return {};
    (world.secrets.*Change)(object->secret_name());
    return "a change beside the value of " + shown(object->secret_name());
}

std::string turn_back(World& world, Coverage&) {
    const ManagedObject* object = world.any_object();
    if (object == nullptr)
        return {};
    world.secrets.turn_back(object->secret_name());
    return shown(object->secret_name()) + " turned back";
}

std::string remake_secret(World& world, Coverage&) {
    const ManagedObject* object = world.any_object();
    if (object == nullptr)
        return {};
    const Name secret = object->secret_name();
    world.secrets.remove(secret);
    world.time.after(world.dice.duration(rt::Duration::zero(), seconds(20)),
                     [&world, secret, number = object->number, same = world.dice.chance(0.5)] {
                         if (same)
                             world.secrets.restore(secret);
                         else
                             world.secrets.rotate(secret, number);
                     });
    return shown(secret) + " deleted, and made again";
}

std::string rotate_unrelated(World& world, Coverage&) {
    world.secrets.rotate({"team-b", world.dice.chance(0.5) ? "unrelated-0" : "unrelated-1"},
                         most_objects);
    return "an unrelated Secret";
}

constexpr UserAction of_secrets[] = {
    {38, rotate},
    {3, change_beside<&SecretBook::label>},
    {2, change_beside<&SecretBook::change_other_key>},
    {4, change_beside<&SecretBook::change_rotation_id>},
    {3, turn_back},
    {4, remake_secret},
    {1, rotate_unrelated},
};

} // namespace

std::span<const UserAction> secret_actions() {
    return of_secrets;
}

} // namespace oco::sim
