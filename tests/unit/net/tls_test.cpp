#include "net/tls.hpp"
#include "unit/omni/test_keys.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace oco;
using namespace oco::test;

namespace {

std::string refusal(const std::string& ca_pem) {
    const auto context = net::make_tls_context({.extra_ca_pem = ca_pem});
    REQUIRE(context.has_error());
    CHECK(context.error().kind == ErrorClass::invalid);
    return context.error().message;
}

} // namespace

TEST_CASE("tls: a CA bundle is taken whole or not at all") {
    const std::string first = certificate_pem(rsa_key());
    const std::string second = certificate_pem(ec_key());
    for (const std::string& good : {first, first + second, "a comment\n" + first + "\n\n" + second})
        CHECK(net::make_tls_context({.extra_ca_pem = good}).has_value());
    CHECK(refusal(first + second.substr(0, second.size() / 2))
              .starts_with("certificate number 2 of the CA bundle is damaged: store it again"));
    CHECK(refusal(first.substr(0, 80)).starts_with("certificate number 1 of the CA bundle"));
    for (const std::string& none :
         {std::string("hunter2"), der_of_pem(first), pkcs8_pem(rsa_key())})
        CHECK(refusal(none).starts_with("the CA bundle holds no PEM certificate: store the CA's"));
}
