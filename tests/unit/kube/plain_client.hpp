// A client of the API server http://kube:80, without credentials.
#pragma once

#include "kube/client.hpp"

#include <doctest/doctest.h>

#include <memory>

namespace oco::test {

inline std::unique_ptr<kube::Client> plain_client(rt::Runtime& runtime) {
    kube::ClientConfig config;
    config.server = {.scheme = net::Scheme::http, .host = "kube", .port = 80, .path_prefix = ""};
    auto made = kube::Client::make(
        runtime, std::move(config),
        [](const std::string&) -> Result<SecretBytes> {
            return make_error(ErrorClass::not_found, "no file");
        },
        [](std::string_view, int, rt::Duration) {});
    REQUIRE(made.has_value());
    return std::move(*made);
}

} // namespace oco::test
