// Digests of wanted values: two have one in common only if all that they cover is the same.
#include "reconcile/connection/digests.hpp"

#include <doctest/doctest.h>

#include <set>

using namespace oco;
using namespace oco::reconcile;

namespace {

const Target digest_target{.host = "h", .connection_id = "c"};

omni::EnvironmentUserAttribute attribute_of(std::string name, std::vector<std::string> values) {
    return {.attribute_name = std::move(name), .default_values = std::move(values)};
}

} // namespace

TEST_CASE("whatever differs makes another digest") {
    const DigestKey key{.bytes = SecretBytes("0123456789abcdef0123456789abcdef"), .id = "k"};
    const DigestKey other_key{.bytes = SecretBytes("0123456789abcdef0123456789abcdeF"), .id = "l"};
    using enum omni::CredentialKind;
    const SecretBytes value("VIEWER");
    const SecretBytes with_newline("VIEWER\n");
    const SecretBytes nothing;
    const std::vector<std::string> all{
        credential_digest(key, "u", digest_target, password, value),
        credential_digest(other_key, "u", digest_target, password, value),
        credential_digest(key, "v", digest_target, password, value),
        credential_digest(key, "u", {.host = "i", .connection_id = "c"}, password, value),
        credential_digest(key, "u", {.host = "h", .connection_id = "d"}, password, value),
        credential_digest(key, "u", {.host = "hc", .connection_id = ""}, password, value),
        credential_digest(key, "uh", {.host = "", .connection_id = "c"}, password, value),
        credential_digest(key, "u", digest_target, password, with_newline),
        credential_digest(key, "u", digest_target, password, nothing),
        credential_digest(key, "u", digest_target, bigquery_service_account, value),
        credential_digest(key, "u", digest_target, snowflake_private_key, value),
        base_role_digest(key, "u", digest_target, "VIEWER"),
        base_role_digest(key, "u", digest_target, "viewer"),
        environment_digest(key, "u", digest_target, attribute_of("a", {})),
        environment_digest(key, "u", digest_target, attribute_of("a", {""})),
        environment_digest(key, "u", digest_target, attribute_of("a", {"x", "y"})),
        environment_digest(key, "u", digest_target, attribute_of("a", {"y", "x"})),
        environment_digest(key, "u", digest_target, attribute_of("a", {"x,y"})),
        environment_digest(key, "u", digest_target, attribute_of("a", {R"(x","y)"})),
        environment_digest(key, "u", digest_target, attribute_of("a\",\"x", {"y"})),
        environment_digest(key, "u", digest_target,
                           {.state = omni::EnvironmentUserAttribute::State::absent}),
        environment_digest(key, "u", digest_target, {}),
    };
    CHECK(std::set(all.begin(), all.end()).size() == all.size());
    for (const auto& digest : all) {
        CHECK(digest.size() == 64);
        CHECK(digest.find("VIEWER") == std::string::npos);
    }
    CHECK(credential_digest(key, "u", digest_target, password, SecretBytes("VIEWER")) == all[0]);
}
