// Requests to Omni's HTTP API. Pure: they carry no token yet (client.hpp adds it).
//
// Source: Omni API, "Update connection", "List connections", "Get connection", "Who am I".
#pragma once

#include "http/message.hpp"
#include "omni/types.hpp"

#include <string_view>

namespace oco::omni {

// PATCH /api/v1/connections/{id}. `update` must not be empty: Omni refuses a body without a field.
// The body is written into wiped memory only, compact, in the order of the documentation.
http::Request update_request(std::string_view connection_id, const Update& update);

// GET /api/v1/connections: all that are not deleted, without pages.
http::Request list_request();
// GET /api/v1/connections/{id}. Not every release of Omni has it: 404 and 405 may mean the route.
http::Request get_request(std::string_view connection_id);
// GET /api/v1/whoami: whether the key itself is valid.
http::Request whoami_request();

} // namespace oco::omni
