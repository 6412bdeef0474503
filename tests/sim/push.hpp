// What both simulations need to know of the requests that Omni gets.
#pragma once

#include "http.hpp"

#include <string>

namespace oco::sim {

// What a PATCH of a connection brings; empty for what it does not, and for other requests.
struct Push {
    std::string connection_id;
    std::string value; // of the credential
    std::string base_role;
};

Push push_of(const emulator::Request& request);

// The id of the simulated connection of this number.
std::string connection_id_of_number(int number);

} // namespace oco::sim
