// OmniInstance's baseURL, and the operator's list of hosts that credentials may be sent to.
#pragma once

#include "base/result.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace oco::reconcile {

struct BaseUrl {
    bool https = true;
    std::string host; // lower case
    std::uint16_t port = 443;

    // "host", or "host:port" where the port is not 443: how a target is named everywhere.
    [[nodiscard]] std::string label() const;
};

// `https://host[:port]`, with an optional trailing `/` or `/api`.
Result<BaseUrl> parse_base_url(std::string_view text);

// What becomes of a base URL without TLS.
enum class PlainHttp { refused, allowed };

class AllowedHosts {
  public:
    // Comma-separated patterns `host[:port]`, port 443 by default; a leading `*.` stands for one
    // label. The error names the pattern.
    static Result<AllowedHosts> parse(std::string_view patterns);

    [[nodiscard]] bool allows(const BaseUrl& url) const;

    // The base URL, if credentials may be sent there. The error says why not, and what to change.
    [[nodiscard]] Result<BaseUrl> admit(std::string_view base_url, PlainHttp plain_http) const;

  private:
    struct Pattern {
        std::string host; // without the "*."
        bool wildcard = false;
        std::uint16_t port = 443;

        [[nodiscard]] bool names(std::string_view other) const;
        [[nodiscard]] std::string text() const;
    };

    [[nodiscard]] std::string refusal(const BaseUrl& url) const;
    [[nodiscard]] std::string listed() const;

    std::vector<Pattern> patterns_;
};

} // namespace oco::reconcile
