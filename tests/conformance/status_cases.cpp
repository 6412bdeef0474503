// The status subresource of the operator's kinds, and what it does to the generation.
#include "steps.hpp"

namespace oco::conformance {
namespace {

using asio::awaitable;
using namespace kube::resources;

constexpr std::initializer_list<std::string_view> observed = {"status", "observedGeneration"};
constexpr std::initializer_list<std::string_view> generation = {"metadata", "generation"};

constexpr std::string_view instance_text =
    R"({"apiVersion":"omniconnection.io/v1alpha1","kind":"OmniInstance","metadata":{"name":"a"},)"
    R"("spec":{"baseURL":"https://acme.omniapp.co","apiTokenSecretRef":{"name":"key"}},)"
    R"("status":{"observedGeneration":7}})";

awaitable<void> status_default(Server& server, std::string ns) {
    const auto made = co_await create(server, omni_connections, ns, connection("a"));
    check(number_at(made, observed) == -1, "default of an OmniConnection");
    check(number_at(made, generation) == 1, "first generation");
    const auto other = co_await create(server, omni_instances, ns, std::string(instance_text));
    check(number_at(other, observed) == -1, "a status given at creation does not count");
    must(co_await server.client().patch_status(omni_instances, kube::decode_meta(other),
                                               R"({"observedGeneration":3})"));
    const auto cleared = must(co_await server.client().merge_patch(
        omni_instances.object(ns, "a") + "/status", R"({"status":null})"));
    check(number_at(cleared, observed) == -1, "default of a status that was removed");
}

awaitable<void> status_patch(Server& server, std::string ns) {
    const auto made = co_await create(server, omni_connections, ns, connection("a"));
    const auto done = must(co_await server.client().merge_patch(
        omni_connections.object(ns, "a") + "/status",
        R"({"metadata":{"annotations":{"x":"1"}},"spec":{"baseRole":"QUERIER"},)"
        R"("status":{"observedGeneration":1,"dialect":"postgres"}})"));
    check(number_at(done, observed) == 1, "the status is written");
    check_equal(json::string_at(done, {"status", "dialect"}), "postgres", "a member of the status");
    check_equal(json::string_at(done, {"spec", "baseRole"}), "VIEWER", "the spec stays");
    check(json::find(done, {"metadata", "annotations"}) == nullptr, "metadata stay");
    check(number_at(done, generation) == 1, "the generation stays");
    check(version_of(done) != version_of(made), "a new version");
    must(co_await server.client().patch_status(omni_connections, kube::decode_meta(made),
                                               R"({"dialect":null})"));
    const auto less = co_await get(server, omni_connections, ns, "a");
    check(json::find(less, {"status", "dialect"}) == nullptr, "null removes");
    check(number_at(less, observed) == 1, "what is not named stays");
}

awaitable<void> spec_patch(Server& server, std::string ns) {
    const auto made = co_await create(server, omni_connections, ns, connection("a"));
    must(co_await server.client().patch_status(omni_connections, kube::decode_meta(made),
                                               R"({"observedGeneration":1})"));
    const auto done =
        co_await patch(server, omni_connections, ns, "a",
                       R"({"spec":{"baseRole":"QUERIER"},"status":{"observedGeneration":5}})");
    check(number_at(done, generation) == 2, "a new spec is a new generation");
    check(number_at(done, observed) == 1, "the status stays");
    const auto noted = co_await patch(server, omni_connections, ns, "a",
                                      R"({"metadata":{"annotations":{"x":"1"}}})");
    check(number_at(noted, generation) == 2, "an annotation is no new generation");
    check(version_of(noted) != version_of(done), "but a new version");
    const auto nothing =
        co_await patch(server, omni_connections, ns, "a", R"({"status":{"observedGeneration":6}})");
    check_equal(version_of(nothing), version_of(noted), "version after a status beside its door");
}

// A merge patch is no way to say "if it is still this object": the uid in it is not looked at. The
// version is.
awaitable<void> status_preconditions(Server& server, std::string ns) {
    auto& client = server.client();
    const std::string path = omni_connections.object(ns, "a") + "/status";
    const auto made = co_await create(server, omni_connections, ns, connection("a"));
    const auto done = must(co_await client.merge_patch(
        path, R"({"metadata":{"uid":"another"},"status":{"observedGeneration":1}})"));
    check_equal(uid_of(done), uid_of(made), "uid");
    check(number_at(done, observed) == 1, "written");
    refused(co_await client.merge_patch(path, R"({"metadata":{"resourceVersion":")" +
                                                  version_of(made) +
                                                  R"("},"status":{"observedGeneration":2}})"),
            409, "modified");
    const auto fresh = must(
        co_await client.merge_patch(path, R"({"metadata":{"resourceVersion":")" + version_of(done) +
                                              R"("},"status":{"observedGeneration":3}})"));
    check(number_at(fresh, observed) == 3, "written");
    co_await remove(server, omni_connections, ns, "a");
    refused(co_await client.merge_patch(path, R"({"status":{"observedGeneration":4}})"), 404);
}

// A JSON patch is one: its tests and its changes are of the same state.
awaitable<void> status_json_patch(Server& server, std::string ns) {
    const std::string path = omni_connections.object(ns, "a") + "/status";
    const auto made = co_await create(server, omni_connections, ns, connection("a"));
    const auto write = [&](std::string uid, std::string changes) {
        return server.json_patch(path, R"([{"op":"test","path":"/metadata/uid","value":")" + uid +
                                           R"("},)" + changes + "]");
    };
    constexpr std::string_view add_two =
        R"({"op":"add","path":"/status/observedGeneration","value":1},)"
        R"({"op":"add","path":"/status/dialect","value":"postgres"})";
    refused(co_await write("another", std::string(add_two)), 422, "rejected our request");
    check(co_await get(server, omni_connections, ns, "a") == made, "changed by what was refused");
    const auto added = must(co_await write(uid_of(made), std::string(add_two)));
    check(number_at(added, observed) == 1, "an added number");
    check_equal(json::string_at(added, {"status", "dialect"}), "postgres", "an added text");
    const auto less =
        must(co_await write(uid_of(made), R"({"op":"add","path":"/status/dialect","value":null})"));
    check(json::find(less, {"status", "dialect"}) == nullptr, "to add null removes");
    check(number_at(less, observed) == 1, "what is not named stays");
    refused(co_await write(uid_of(made), R"({"op":"remove","path":"/status/dialect"})"), 422);
    const auto whole = must(co_await write(
        uid_of(made), R"({"op":"replace","path":"/status","value":{"dialect":"mysql"}})"));
    check(json::find(whole, observed) == nullptr, "replaced as a whole");
}

// As the operator writes it: of this very object, whole members, and what is null goes.
awaitable<void> status_of_one_object(Server& server, std::string ns) {
    auto& client = server.client();
    const auto made = co_await create(server, omni_connections, ns, connection("a"));
    const auto meta = kube::decode_meta(made);
    must(co_await client.patch_status(
        omni_connections, meta,
        R"({"observedGeneration":1,"dialect":"postgres","nextAttemptTime":null,)"
        R"("applied":{"target":{"host":"a.example","connectionID":null},"baseRole":null}})"));
    const auto full = co_await get(server, omni_connections, ns, "a");
    check_equal(json::string_at(full, {"status", "applied", "target", "host"}), "a.example",
                "a member of a member");
    check(json::find(full, {"status", "applied", "baseRole"}) == nullptr, "no null within");
    must(
        co_await client.patch_status(omni_connections, meta, R"({"dialect":null,"applied":null})"));
    const auto less = co_await get(server, omni_connections, ns, "a");
    check(json::find(less, {"status", "dialect"}) == nullptr, "null removes");
    check(json::find(less, {"status", "applied"}) == nullptr, "null removes all of it");
    check(number_at(less, observed) == 1, "what is not named stays");
    co_await remove(server, omni_connections, ns, "a");
    const auto again = co_await create(server, omni_connections, ns, connection("a"));
    const auto late =
        co_await client.patch_status(omni_connections, meta, R"({"observedGeneration":9})");
    check(late.has_error() && late.error().kind == ErrorClass::conflict, "another object");
    check(co_await get(server, omni_connections, ns, "a") == again, "which it leaves alone");
}

awaitable<void> status_of_others(Server& server, std::string ns) {
    co_await create(server, leases, ns, lease("a", "x"));
    refused(co_await server.client().merge_patch(leases.object(ns, "a") + "/status",
                                                 R"({"status":{}})"),
            404);
    refused(co_await server.client().get(leases.object(ns, "a") + "/status"), 404);
    co_await create(server, omni_connections, ns, connection("a"));
    const auto read =
        must(co_await server.client().get(omni_connections.object(ns, "a") + "/status"));
    check_equal(json::string_at(read, {"spec", "baseRole"}), "VIEWER", "the whole object");
}

} // namespace

std::vector<Case> status_cases() {
    return {{"the default of a status", status_default},
            {"a patch of the status changes that alone", status_patch},
            {"a patch of the spec, and the generation", spec_patch},
            {"what a patch of the status compares", status_preconditions},
            {"a JSON patch of the status, with a test", status_json_patch},
            {"a status of one object", status_of_one_object},
            {"who has a status", status_of_others}};
}

} // namespace oco::conformance
