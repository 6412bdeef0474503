// HTTP requests and responses as the clients see them.
#pragma once

#include "base/secret_bytes.hpp"
#include "rt/semaphore.hpp"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace oco::http {

using Headers = std::vector<std::pair<std::string, std::string>>;

// How a response's body may be encoded. An encoding that was not requested is an error.
enum class Encoding { identity, gzip };

struct Request {
    std::string method = "GET";
    std::string target = "/"; // path and query, percent-encoded
    Headers headers;          // besides Host, Authorization, Content-Length, Accept-Encoding and
                              // User-Agent
    SecretBytes bearer;       // empty: no Authorization
    SecretBytes body;
    // What is requested is decompressed. Not for responses that hold a credential: their size would
    // reveal something about it.
    Encoding accept_encoding = Encoding::identity;
    // Where connections are few. The first does not wait for one at all.
    rt::Urgency urgency = rt::Urgency::normal;
};

// Names are lower case.
struct ResponseHead {
    int status = 0;
    Headers headers;
    bool keep_alive = false;

    // Empty when absent.
    [[nodiscard]] std::string_view header(std::string_view lower_case_name) const;
};

struct Response : ResponseHead {
    SecretBytes body;
};

// RFC 3986: everything but unreserved characters.
std::string percent_encode(std::string_view text);

} // namespace oco::http
