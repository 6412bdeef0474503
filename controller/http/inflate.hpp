// Decompresses gzip (RFC 1952), as it arrives, into memory that is wiped.
#pragma once

#include "base/result.hpp"
#include "base/secret_bytes.hpp"

#include <cstddef>
#include <memory>
#include <string_view>

namespace oco::http {

class Inflater {
  public:
    // At most `limit` bytes come out in all; 0: no limit.
    explicit Inflater(std::size_t limit);
    ~Inflater();

    // Appends all that `bytes` yields so far. Errors: not gzip, corrupt, beyond the limit, or bytes
    // after the end.
    Result<void> feed(std::string_view bytes, SecretBytes& out);
    // Whether all of it has arrived; also true if nothing has.
    [[nodiscard]] bool complete() const;

  private:
    struct State;
    std::unique_ptr<State> state_; // zlib's stream must not move
};

} // namespace oco::http
