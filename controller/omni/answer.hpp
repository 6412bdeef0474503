// Whether Omni did what was asked, and what went wrong if not. Pure.
//
// Source: Omni API, "Update connection" (responses, schema Error). Seen, though not documented:
// `{detail,status}`, `{error}`, and proxies' pages.
#pragma once

#include "base/result.hpp"
#include "base/time.hpp"
#include "http/message.hpp"
#include "omni/types.hpp"

namespace oco::omni {

// What was sent with a request, and must not appear in a message. Not owned.
struct Outgoing {
    const SecretBytes* token = nullptr;
    const Update* update = nullptr; // null: a read
};

constexpr bool is_success(int status) {
    return status >= 200 && status < 300;
}

// Whether the response to a PATCH or to whoami says that it was carried out: 2xx, but neither
// `"success": false` (ErrorClass::refused) nor an HTML page, which comes from a proxy or portal and
// not from Omni (ErrorClass::unavailable, outcome unknown).
Result<void> check_success(const http::Response& response, const Outgoing& outgoing, WallTime now);

// The error for a response, by its status:
//   400, 422, any other 4xx   refused        401   unauthorized     404, 410   not_found
//   408, 409, 425, 5xx        unavailable    403   forbidden        429        rate_limited
//   1xx, 3xx                  unavailable: redirects are never followed
// `sent` says whether a PATCH may still have been carried out: `no` for a definite response, which
// is 3xx or 4xx other than 408; `maybe` for the rest.
//
// `retry_after` is set for 429 and 503 (http::parse_retry_after).
//
// `message` is "Omni returned 400: TEXT", one printable line within max_message_bytes, TEXT being
// the most specific one of the body. It is withheld when it shares 8 bytes in a row with a
// credential or the token, also in a JSON-escaped form; a shorter credential must not appear in it
// whole. Roles and attribute values are no credentials and may be shown. Not guaranteed: that text
// of a server which transforms what it repeats in other ways (base64, reversed) is recognised.
Error error_of(const http::Response& response, const Outgoing& outgoing, WallTime now);

// Of an exchange that ended without an answer: the names in a certificate are the server's words
// too, and withheld in the same way.
Error without_repeats(Error error, const Outgoing& outgoing);

} // namespace oco::omni
