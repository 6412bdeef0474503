// The OmniConnections of the simulated world, as their users write them.
#pragma once

#include "facts.hpp"
#include "instance.hpp"
#include "marks.hpp"
#include "secret_book.hpp"

#include <string>

namespace oco::sim {

struct ManagedObject {
    int number = 0;
    Name key;
    std::size_t instance = 0;  // a place in the world's instances
    std::string connection_id; // one of these two
    std::string connection_name;
    Fields manages{};
    int secret = 0;                // which of its two
    int role = 0;                  // below roles_of_each
    int attribute = 0;             // a part of the value
    bool attribute_present = true; // else the setting is removed
    bool suspended = false;
    bool there = true;    // not deleted
    bool retired = false; // it will not be made again
    bool terminating = false;

    [[nodiscard]] Name secret_name() const {
        return SecretBook::name_of(key.first, number, secret);
    }
};

bj::object spec_of(const ManagedObject& object, const Name& instance);

} // namespace oco::sim
