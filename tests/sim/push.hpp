// What both simulations need to know of the requests that Omni gets.
#pragma once

#include "http.hpp"

#include <optional>
#include <string>

namespace oco::sim {

// What a PATCH of a connection brings; empty for what it does not, and for other requests.
struct Push {
    // Of the environment user attribute.
    struct Attribute {
        std::string name; // empty: the setting is removed
        std::string values;

        bool operator==(const Attribute&) const = default;
    };

    std::string connection_id;
    std::string value; // of the credential
    std::string base_role;
    std::optional<Attribute> attribute;
};

Push push_of(const emulator::Request& request);

// The id of the simulated connection of this number.
std::string connection_id_of_number(int number);

} // namespace oco::sim
