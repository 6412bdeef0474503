#include "base/dns_name.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace oco;

TEST_CASE("dns names: labels and subdomains, as Kubernetes takes them") {
    for (const auto& name : {std::string("a"), std::string("0"), std::string("a-0"),
                             std::string("kube-system"), std::string(63, 'a')}) {
        CAPTURE(name);
        CHECK(is_dns_label(name));
        CHECK(is_dns_subdomain(name));
    }
    for (const auto& name :
         {std::string("a.b"), std::string("a.b.c"), std::string("omni-connection-operator.eu"),
          std::string(64, 'a'), std::string(253, 'a')}) {
        CAPTURE(name);
        CHECK_FALSE(is_dns_label(name));
        CHECK(is_dns_subdomain(name));
    }
    for (const auto& name :
         {std::string(), std::string("-a"), std::string("a-"), std::string("A"), std::string("a_b"),
          std::string("a b"), std::string("a/b"), std::string("*"), std::string(".a"),
          std::string("a."), std::string("a..b"), std::string("a.-b"), std::string("\xC3\xA4"),
          std::string("a\n"), std::string("a\0", 2), std::string(254, 'a')}) {
        CAPTURE(name);
        CHECK_FALSE(is_dns_label(name));
        CHECK_FALSE(is_dns_subdomain(name));
    }
}
