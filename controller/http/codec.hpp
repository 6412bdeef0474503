// HTTP/1.1 on the wire, without any I/O: bytes out for a request, bytes in for a response.
#pragma once

#include "base/result.hpp"
#include "http/message.hpp"

#include <memory>

namespace oco::http {

// Head and body in one buffer, so that one write sends it and one wipe removes it.
SecretBytes serialize(const Request& request, std::string_view authority,
                      std::string_view user_agent);

// Parses one response from bytes as they arrive. Chunked bodies are joined, gzip is decompressed,
// and interim responses (100, 103) are skipped.
class ResponseParser {
  public:
    // `body_limit` in bytes, compressed and decompressed; 0: none (a watch, whose body the caller
    // takes as it arrives). `accepted` is what the request asked for.
    explicit ResponseParser(std::size_t body_limit, Encoding accepted = Encoding::identity);
    ~ResponseParser();
    ResponseParser(ResponseParser&&) noexcept;

    // Takes the bytes; bytes after the response (nothing more was requested) are an error.
    Result<void> feed(std::string_view bytes);
    // The peer closed: the end of a body without a length, or an error.
    Result<void> finish();

    [[nodiscard]] bool head_done() const;
    [[nodiscard]] bool done() const;
    [[nodiscard]] ResponseHead head() const;
    // The part of the body that has arrived since the last call.
    SecretBytes take_body();
    [[nodiscard]] std::size_t body_size() const; // of what take_body() would return

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace oco::http
