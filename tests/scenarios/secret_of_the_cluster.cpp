// A Secret that holds what gives rights in the cluster is sent nowhere, whoever names it.
#include "sim/kube_rules.hpp"
#include "world.hpp"

#include <doctest/doctest.h>

using namespace oco::scenarios;

namespace {

// Whose key is in a Secret of this type.
struct OfType {
    World world;
    Tenant& sales = world.tenant("sales");

    void key_is_in(const std::string& type) {
        sales.changes_key(sales.key());
        world.omni.accepts(sales.key());
        world.kube.remove("secrets", "sales", "key");
        world.kube.apply(
            "secrets", "sales", "key",
            {{"type", type}, {"data", bj::object{{"token", "Y29uZmlkZW50aWFsLWtleQ=="}}}});
        sales.applies_instance({.keyless = true});
        world.starts();
        world.passes(5s);
    }
};

} // namespace

TEST_SUITE_BEGIN("a Secret of the cluster");

TEST_CASE_FIXTURE(OfType, "is no API key") {
    SUBCASE("service account") {
        key_is_in("kubernetes.io/service-account-token");
    }
    SUBCASE("bootstrap token") {
        key_is_in("bootstrap.kubernetes.io/token");
    }
    CHECK(sales.instance_reason() == "InvalidCredential");
    CHECK(world.omni.count(RequestKind::list) == 0);
}

TEST_CASE_FIXTURE(OfType, "is no CA bundle") {
    sales.applies_instance();
    world.kube.apply("secrets", "sales", "ca",
                     {{"type", "kubernetes.io/service-account-token"},
                      {"data", bj::object{{"ca.crt", "Y29uZmlkZW50aWFsLWtleQ=="}}}});
    sales.changes_instance({{"caBundleSecretRef", bj::object{{"name", "ca"}}}});
    world.starts();
    world.passes(5s);
    CHECK(sales.instance_reason() == "InvalidCredential");
    CHECK(world.logged("has type kubernetes.io/service-account-token") > 0);
    CHECK(world.omni.count(RequestKind::list) == 0);
}

TEST_SUITE_END();
