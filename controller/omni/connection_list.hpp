// What Omni reports about its connections. Pure, tolerant, bounded.
//
// Source: Omni API, "List connections", "Get connection"; where two of its documents disagree, both
// spellings are taken.
#pragma once

#include "base/result.hpp"
#include "http/message.hpp"
#include "omni/list_memory.hpp"
#include "omni/types.hpp"

#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

namespace oco::omni {

inline constexpr std::size_t max_connections = 100'000; // of one list

// Reads the body of a 2xx response to GET /v1/connections, `{"connections":[...]}`, as it arrives:
// it may be far larger than what is kept of it, since others may have set long values. Unknown
// members and members of another type count as missing; an entry without a usable id is skipped.
class ConnectionListReader {
  public:
    // `memory`: of what is kept, and of a long value while it is read.
    explicit ConnectionListReader(ListMemory::Share& memory);
    ~ConnectionListReader();

    // The next bytes. False: no more are needed, finish() has an error to report.
    bool feed(std::string_view bytes);

    // After the last byte. ErrorClass::unavailable if the body was another, too_large with more
    // than `max_connections` entries, or than there is memory for.
    Result<std::vector<ConnectionInfo>> finish(int http_status);

  private:
    struct Parser;
    std::unique_ptr<Parser> parser_;
};

// The same for GET /v1/connections/{id}, `{"connection":{...}}`, which is read in one go.
Result<ConnectionInfo> parse_connection(const http::Response& response);

} // namespace oco::omni
