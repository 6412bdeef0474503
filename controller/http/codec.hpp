// HTTP/1.1 on the wire, without any I/O: bytes out for a request, bytes in for an answer.
#pragma once

#include "base/result.hpp"
#include "http/message.hpp"

#include <memory>

namespace oco::http {

// Head and body in one buffer, so that one write sends it and one wipe removes it.
SecretBytes serialize(const Request& request, std::string_view authority,
                      std::string_view user_agent);

// Reads one answer from bytes as they come. Chunked bodies are put together, gzip is unpacked, and
// interim answers (100, 103) are skipped.
class ResponseParser {
  public:
    // `body_limit` in bytes, packed and unpacked; 0: none (a watch, whose body the caller takes
    // away as it comes). `accepted` is what the request asked for.
    explicit ResponseParser(std::size_t body_limit, Encoding accepted = Encoding::identity);
    ~ResponseParser();
    ResponseParser(ResponseParser&&) noexcept;

    // Takes the bytes; those of a next message (never asked for) are an error.
    Result<void> feed(std::string_view bytes);
    // The peer closed: the end of a body without a length, or an error.
    Result<void> finish();

    [[nodiscard]] bool head_done() const;
    [[nodiscard]] bool done() const;
    [[nodiscard]] ResponseHead head() const;
    // What has come of the body since the last call.
    SecretBytes take_body();

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace oco::http
