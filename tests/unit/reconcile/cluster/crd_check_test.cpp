// CRDs that are older than the operator are noticed, and what they lack is named.
#include "api/omni_connection.hpp"
#include "reconcile/cluster/crd_check.hpp"

#include <doctest/doctest.h>

using namespace oco;
using namespace oco::reconcile;

namespace {

json::Document parsed(std::string_view text) {
    auto document = json::parse(text);
    REQUIRE(document.has_value());
    return std::move(*document);
}

// The schema that has what `value` has, except for the member `left_out`.
void write_schema(json::Writer& out, const json::Value& value, const std::string& left_out) {
    out.begin_object();
    if (value.IsObject()) {
        out.field("properties").begin_object();
        for (const auto& member : value.GetObject())
            if (json::text_of(member.name) != left_out) {
                out.field(json::text_of(member.name));
                write_schema(out, member.value, left_out);
            }
        out.end_object();
    } else if (value.IsArray()) {
        out.field("items");
        write_schema(out, value[0], left_out);
    }
    out.end_object();
}

std::string schema(const std::string& left_out = "") {
    json::Writer status;
    encode(status, api::OmniConnection::complete_status());
    json::Writer out;
    write_schema(out, parsed(status.view()), left_out);
    return std::string(out.view());
}

// `status` is the schema of that of an OmniConnection.
InstalledCrds installed(std::string status, bool has_default = true) {
    if (has_default)
        status.insert(1, R"("default":{"observedGeneration":-1},)");
    return read_crds(
        parsed(R"({"components":{"schemas":{"io.omniconnection.v1alpha1.OmniConnection":)"
               R"({"properties":{"status":)" +
               status + "}}}}}"));
}

} // namespace

TEST_CASE("a complete status has everything") {
    json::Writer connection;
    encode(connection, api::OmniConnection::complete_status());
    json::Writer instance;
    encode(instance, api::OmniInstance::complete_status());
    CHECK(connection.view().find("null") == std::string_view::npos);
    CHECK(instance.view().find("null") == std::string_view::npos);
}

TEST_CASE("CRDs that know all of a status fit") {
    CHECK(installed(schema()).trouble().empty());
    CHECK(installed(R"({"x-kubernetes-preserve-unknown-fields":true})").trouble().empty());
    CHECK(read_crds(parsed("{}")).trouble().empty()); // nothing is published
}

TEST_CASE("what an older CRD would drop is named") {
    const auto nested = installed(schema("keyID"));
    CHECK(nested.pruned ==
          std::vector<std::string>{"omniconnections status.applied.credential.keyID"});
    CHECK(nested.trouble().find("status.applied.credential.keyID, and nothing is sent") !=
          std::string::npos);
    CHECK(installed(schema("unanswered")).pruned ==
          std::vector<std::string>{"omniconnections status.unanswered"});
    CHECK(installed(schema("reason")).pruned ==
          std::vector<std::string>{"omniconnections status.conditions.reason"});
}

TEST_CASE("a missing default is named, but stops nothing") {
    const auto found = installed(schema(), false);
    CHECK(found.pruned.empty());
    CHECK(found.trouble().find("no default for the status of omniconnections") !=
          std::string::npos);
}
