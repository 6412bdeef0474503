// Single objects: create, read, replace, merge.
#include "steps.hpp"

namespace oco::conformance {
namespace {

using asio::awaitable;
using namespace kube::resources;

awaitable<void> create_and_get(Server& server, std::string ns) {
    const auto made = co_await create(server, secrets, ns, secret("a", "MQ=="));
    check_equal(name_of(made), "a", "name");
    check_equal(json::string_at(made, {"metadata", "namespace"}), ns, "namespace");
    check_equal(json::string_at(made, "kind"), "Secret", "kind");
    check_equal(json::string_at(made, "type"), "Opaque", "default type");
    check(!uid_of(made).empty() && !version_of(made).empty(), "no uid or version");
    check(parse_rfc3339(json::string_at(made, {"metadata", "creationTimestamp"})).has_value(),
          "creationTimestamp");
    const auto read = co_await get(server, secrets, ns, "a");
    check(read == made, "what is read differs from what was created");
    refused(co_await server.client().get(secrets.object(ns, "b")), 404, "\"b\" not found");
    refused(co_await server.client().create(secrets.collection(ns), secret("a", "Mg==")), 409,
            "already exists");
    check(co_await get(server, secrets, ns, "a") == made, "changed by what was refused");
}

awaitable<void> create_refuses(Server& server, std::string ns) {
    auto& client = server.client();
    const std::string all = secrets.collection(ns);
    refused(co_await client.create(all, R"({"apiVersion":"v1","kind":"Secret","metadata":{}})"),
            422, "name");
    refused(
        co_await client.create(
            all, R"({"apiVersion":"v1","kind":"Secret","metadata":{"name":"a","namespace":"b"}})"),
        400, "namespace");
    refused(
        co_await client.create(
            all,
            R"({"apiVersion":"v1","kind":"Secret","metadata":{"name":"a","resourceVersion":"5"}})"),
        500, "resourceVersion should not be set");
    refused(co_await client.create(secrets.collection("no-" + ns), secret("a", "MQ==")), 404,
            "not found");
    check_equal(names_in(co_await list(server, secrets, ns)), {}, "objects");
}

awaitable<void> a_new_incarnation(Server& server, std::string ns) {
    const auto first = co_await create(server, secrets, ns, secret("a", "MQ=="));
    co_await remove(server, secrets, ns, "a");
    refused(co_await server.client().get(secrets.object(ns, "a")), 404);
    const auto second = co_await create(server, secrets, ns, secret("a", "MQ=="));
    check(uid_of(first) != uid_of(second), "the same uid again");
    check(version_of(first) != version_of(second), "the same version again");
}

std::string replacement(std::string_view metadata, std::string_view value) {
    return R"({"apiVersion":"v1","kind":"Secret","metadata":{)" + std::string(metadata) +
           R"(},"data":{"value":")" + std::string(value) + "\"}}";
}

awaitable<void> replace_compares_versions(Server& server, std::string ns) {
    auto& client = server.client();
    const std::string path = secrets.object(ns, "a");
    const auto first = co_await create(server, secrets, ns, secret("a", "MQ=="));
    const std::string old_version = R"("name":"a","resourceVersion":")" + version_of(first) + "\"";
    const auto second = must(co_await client.replace(path, replacement(old_version, "Mg==")));
    check(version_of(first) != version_of(second), "the version is still the old one");
    check_equal(uid_of(second), uid_of(first), "uid");
    check_equal(json::string_at(second, {"data", "value"}), "Mg==", "value");
    refused(co_await client.replace(path, replacement(old_version, "Mw==")), 409, "modified");
    const auto read = co_await get(server, secrets, ns, "a");
    check(read == second, "changed by what was refused");
}

awaitable<void> replace_refuses(Server& server, std::string ns) {
    auto& client = server.client();
    const auto made = co_await create(server, secrets, ns, secret("a", "MQ=="));
    refused(co_await client.replace(secrets.object(ns, "a"),
                                    replacement(R"("name":"a","uid":"another")", "Mg==")),
            409, "Precondition failed");
    refused(co_await client.replace(secrets.object(ns, "a"), replacement(R"("name":"b")", "Mg==")),
            400, "does not match");
    refused(co_await client.replace(secrets.object(ns, "b"), replacement(R"("name":"b")", "Mg==")),
            404);
    check(co_await get(server, secrets, ns, "a") == made, "changed by what was refused");
}

awaitable<void> replace_without_a_version(Server& server, std::string ns) {
    auto& client = server.client();
    co_await create(server, secrets, ns, secret("a", "MQ=="));
    must(co_await client.replace(secrets.object(ns, "a"), secret("a", "Mg==")));
    co_await create(server, omni_connections, ns, connection("a"));
    refused(co_await client.replace(omni_connections.object(ns, "a"), connection("a")), 422,
            "must be specified for an update");
    co_await create(server, leases, ns, lease("a", "x"));
    refused(co_await client.replace(leases.object(ns, "a"), lease("a", "y")), 422,
            "must be specified for an update");
}

awaitable<void> merge_patch(Server& server, std::string ns) {
    co_await create(server, omni_connections, ns,
                    connection("a", R"(,"environmentUserAttribute":)"
                                    R"({"attributeName":"region","defaultValues":["x","y"]})"));
    const auto nested = co_await patch(
        server, omni_connections, ns, "a",
        R"({"spec":{"baseRole":null,"environmentUserAttribute":{"attributeName":"zone"}}})");
    const json::Value* spec = json::find(nested, "spec");
    check(spec != nullptr && json::find(*spec, "baseRole") == nullptr, "null removes");
    check_equal(json::string_at(*spec, "connectionName"), "Sales", "what is not named stays");
    const json::Value* attribute = json::find(*spec, "environmentUserAttribute");
    check(attribute != nullptr, "the nested object is there");
    check_equal(json::string_at(*attribute, "attributeName"), "zone", "nested merge");
    const json::Value* values = json::find(*attribute, "defaultValues");
    check(values != nullptr && values->Size() == 2, "what the nested one does not name stays");
    const auto replaced =
        co_await patch(server, omni_connections, ns, "a",
                       R"({"spec":{"environmentUserAttribute":{"defaultValues":["z"]}}})");
    values = json::find(replaced, {"spec", "environmentUserAttribute", "defaultValues"});
    check(values != nullptr && values->Size() == 1, "an array is replaced as a whole");
    const auto labelled = co_await patch(server, omni_connections, ns, "a",
                                         R"({"metadata":{"annotations":{"x":"1","y":"2"}}})");
    check_equal(json::string_at(labelled, {"metadata", "annotations", "y"}), "2", "annotation");
    const auto cleared = co_await patch(server, omni_connections, ns, "a",
                                        R"({"metadata":{"annotations":{"x":null}}})");
    check_equal(json::string_at(cleared, {"metadata", "annotations", "y"}), "2", "annotation");
    check(json::find(cleared, {"metadata", "annotations", "x"}) == nullptr, "null removes");
}

// What changes nothing is no write: no version, no event. But the first write after the creation
// stores the defaults of the status, and is one whatever it says.
awaitable<void> writes_without_a_change(Server& server, std::string ns) {
    const auto first = co_await create(server, omni_connections, ns, connection("a"));
    const auto made = co_await patch(server, omni_connections, ns, "a", "{}");
    check(version_of(made) != version_of(first), "the first write stores defaults");
    auto watch =
        co_await Watch::open(server, omni_connections, ns, "resourceVersion=" + version_of(made));
    const auto same = co_await patch(server, omni_connections, ns, "a",
                                     R"({"spec":{"baseRole":"VIEWER"},"metadata":{}})");
    check_equal(version_of(same), version_of(made), "version after an empty patch");
    const auto replaced = must(co_await server.client().replace(
        omni_connections.object(ns, "a"),
        R"({"apiVersion":"omniconnection.io/v1alpha1","kind":"OmniConnection",)"
        R"("metadata":{"name":"a","resourceVersion":")" +
            version_of(made) +
            R"("},"spec":{"instanceRef":{"name":"omni"},"connectionName":"Sales",)"
            R"("baseRole":"VIEWER"}})"));
    check_equal(version_of(replaced), version_of(made), "version after the same again");
    const auto status = must(co_await server.client().patch_status(
        omni_connections, kube::decode_meta(made), R"({"observedGeneration":-1})"));
    check_equal(version_of(status), version_of(made), "version after the same status");
    const auto changed =
        co_await patch(server, omni_connections, ns, "a", R"({"spec":{"baseRole":"QUERIER"}})");
    const Seen seen = co_await watch.next();
    check_equal(seen.str(), "MODIFIED a", "the next event");
    check_equal(seen.version, version_of(changed), "its version");
}

awaitable<void> patch_preconditions(Server& server, std::string ns) {
    auto& client = server.client();
    const std::string path = omni_connections.object(ns, "a");
    const auto made = co_await create(server, omni_connections, ns, connection("a"));
    const auto attempt = [&](std::string metadata) {
        return client.merge_patch(path, R"({"metadata":{)" + metadata +
                                            R"(},"spec":{"baseRole":"QUERIER"}})");
    };
    // No precondition but an attempt to change it, which is why it is no 409.
    refused(co_await attempt(R"("uid":"another")"), 422, "immutable");
    refused(co_await attempt(R"("resourceVersion":"1")"), 409, "modified");
    refused(co_await attempt(R"("name":"b")"), 400, "does not match");
    refused(co_await attempt(R"("namespace":"other")"), 400, "does not match");
    check(co_await get(server, omni_connections, ns, "a") == made, "changed by what was refused");
    const auto done = must(co_await attempt(R"("uid":")" + uid_of(made) +
                                            R"(","resourceVersion":")" + version_of(made) + "\""));
    check_equal(json::string_at(done, {"spec", "baseRole"}), "QUERIER", "the right ones");
    refused(co_await client.merge_patch(omni_connections.object(ns, "b"), R"({"spec":{}})"), 404);
    refused(co_await client.merge_patch(path, "[]"), 400);
}

awaitable<void> unknown_kind(Server& server, std::string ns) {
    const kube::Resource none{
        .group = "omniconnection.io", .version = "v1alpha1", .plural = "nothings"};
    auto& client = server.client();
    refused(co_await client.get(none.collection(ns)), 404);
    refused(co_await client.get(none.object(ns, "a")), 404);
    refused(co_await client.create(none.collection(ns), connection("a")), 404);
    refused(co_await client.watch(none.collection(ns) + "?watch=1", kube::Accept::object), 404);
}

awaitable<void> wrong_token(Server& server, std::string ns) {
    auto& client = server.stranger();
    const auto made = co_await create(server, secrets, ns, secret("a", "MQ=="));
    refused(co_await client.get(secrets.object(ns, "a")), 401);
    refused(co_await client.get(secrets.collection(ns)), 401);
    refused(co_await client.create(secrets.collection(ns), secret("b", "MQ==")), 401);
    refused(co_await client.replace(secrets.object(ns, "a"), secret("a", "Mg==")), 401);
    refused(co_await client.merge_patch(secrets.object(ns, "a"), R"({"data":{"value":"Mg=="}})"),
            401);
    refused(co_await client.watch(secrets.collection(ns) + "?watch=1", kube::Accept::object), 401);
    check(co_await get(server, secrets, ns, "a") == made, "changed by what was refused");
    check_equal(names_in(co_await list(server, secrets, ns)), {"a"}, "objects");
}

} // namespace

std::vector<Case> object_cases() {
    return {{"create, get, 404, AlreadyExists", create_and_get},
            {"create refuses what it cannot place", create_refuses},
            {"a name made again is another object", a_new_incarnation},
            {"PUT compares versions", replace_compares_versions},
            {"PUT refuses another object", replace_refuses},
            {"PUT without a version, by kind", replace_without_a_version},
            {"merge patch", merge_patch},
            {"writes without a change", writes_without_a_change},
            {"what a patch may not change", patch_preconditions},
            {"404 for an unknown kind", unknown_kind},
            {"401 for a wrong token", wrong_token}};
}

} // namespace oco::conformance
