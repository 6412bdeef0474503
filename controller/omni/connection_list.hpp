// What Omni reports about its connections. Pure, tolerant, bounded.
//
// Source: Omni API, "List connections", "Get connection"; where two of its documents disagree, both
// spellings are taken.
#pragma once

#include "base/result.hpp"
#include "http/message.hpp"
#include "omni/types.hpp"

#include <cstddef>
#include <vector>

namespace oco::omni {

inline constexpr std::size_t max_connections = 100'000; // of one list

// The body of a 2xx response to GET /v1/connections, `{"connections":[...]}`. Unknown members and
// members of another type count as missing; an entry without a usable id is skipped. Any other
// body, or more than `max_connections` entries, is ErrorClass::unavailable. The body is read in
// one go, without a tree in memory (about 15 ms for 10,000 connections).
Result<std::vector<ConnectionInfo>> parse_connections(const http::Response& response);

// The same for GET /v1/connections/{id}, `{"connection":{...}}`.
Result<ConnectionInfo> parse_connection(const http::Response& response);

} // namespace oco::omni
