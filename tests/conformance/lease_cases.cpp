// Leases as leader election uses them, and kube::LeaderElector itself.
#include "kube/lease.hpp"
#include "steps.hpp"

namespace oco::conformance {
namespace {

using asio::awaitable;
using namespace kube::resources;

std::string holder_of(const json::Value& lease) {
    return std::string(json::string_at(lease, {"spec", "holderIdentity"}));
}

awaitable<void> lease_versions(Server& server, std::string ns) {
    auto& client = server.client();
    const std::string path = leases.object(ns, "a");
    const auto first = co_await create(server, leases, ns, lease("a", "x"));
    check_equal(holder_of(first), "x", "holder");
    refused(co_await client.create(leases.collection(ns), lease("a", "y")), 409, "already exists");
    const auto second = must(co_await client.replace(path, lease("a", "y", version_of(first))));
    check_equal(holder_of(second), "y", "holder");
    refused(co_await client.replace(path, lease("a", "z", version_of(first))), 409, "modified");
    const auto read = co_await get(server, leases, ns, "a");
    check(read == second, "changed by what was refused");
    check(number_at(read, {"spec", "leaseTransitions"}) == 3, "leaseTransitions");
    check_equal(json::string_at(read, {"spec", "renewTime"}), "2026-01-01T00:00:00.000000Z",
                "renewTime keeps its microseconds");
    const auto freed = must(co_await client.replace(path, lease("a", "", version_of(read))));
    check_equal(holder_of(freed), "", "holder after a release");
    check(json::find(freed, {"metadata", "generation"}) == nullptr, "a Lease has no generation");
}

// A PUT creates a Lease that is not there, whatever version it names: who writes what another has
// deleted makes it again.
awaitable<void> lease_created_by_put(Server& server, std::string ns) {
    auto& client = server.client();
    const std::string path = leases.object(ns, "a");
    const auto first = co_await create(server, leases, ns, lease("a", "x"));
    co_await remove(server, leases, ns, "a");
    const auto second = must(co_await client.replace(path, lease("a", "x", version_of(first))));
    check(uid_of(second) != uid_of(first), "the same uid again");
    check(version_of(second) != version_of(first), "the same version again");
    refused(co_await client.replace(path, lease("a", "y", version_of(first))), 409, "modified");
}

awaitable<void> lease_refused(Server& server, std::string ns) {
    auto& client = server.client();
    const auto attempt = [&](std::string spec) {
        return client.create(leases.collection(ns),
                             R"({"apiVersion":"coordination.k8s.io/v1","kind":"Lease",)"
                             R"("metadata":{"name":"a"},"spec":{)" +
                                 spec + "}}");
    };
    refused(co_await attempt(R"("leaseDurationSeconds":0)"), 422, "must be greater than 0");
    refused(co_await attempt(R"("leaseTransitions":-1)"), 422, "greater than or equal to 0");
    refused(co_await attempt(R"("renewTime":"2026-01-01T00:00:00Z")"), 400, "parsing time");
    refused(co_await attempt(R"("acquireTime":"")"), 400, "parsing time");
    check_equal(names_in(co_await list(server, leases, ns)), {}, "objects");
}

// As a standby watches it: one of several, from a list that is a stream or comes in pages.
awaitable<void> lease_watched(Server& server, std::string ns) {
    auto& client = server.client();
    const std::string by_name = "fieldSelector=metadata.name%3Da";
    const auto first = co_await create(server, leases, ns, lease("a", "x"));
    const auto other = co_await create(server, leases, ns, lease("b", "x"));
    check_equal(names_in(co_await list(server, leases, ns, by_name)), {"a"}, "objects");
    auto listed = co_await Watch::open(server, leases, ns,
                                       by_name + "&allowWatchBookmarks=true&sendInitialEvents=true"
                                                 "&resourceVersionMatch=NotOlderThan");
    auto later =
        co_await Watch::open(server, leases, ns, by_name + "&resourceVersion=" + version_of(first));
    const Seen added = co_await listed.next();
    check_equal(added.str(), "ADDED a", "event");
    check_equal(holder_of(added.object()), "x", "holder");
    const auto freed =
        must(co_await client.replace(leases.object(ns, "a"), lease("a", "", version_of(first))));
    must(co_await client.replace(leases.object(ns, "b"), lease("b", "", version_of(other))));
    co_await remove(server, leases, ns, "a");
    co_await listed.expect_changes({"MODIFIED a", "DELETED a"});
    // The event has all that a read would show.
    const Seen seen = co_await later.next();
    check_equal(seen.str(), "MODIFIED a", "event");
    check(seen.object() == freed, "an event shows another Lease than was written");
    co_await later.expect({"DELETED a"});
}

// --- kube::LeaderElector -------------------------------------------------------------------------

// Short terms, but long enough for a busy machine.
kube::LeaseOptions options(const std::string& ns, std::string identity) {
    return {.ns = ns,
            .name = "leader",
            .identity = std::move(identity),
            .times = {.duration = std::chrono::seconds(6),
                      .renew_deadline = std::chrono::seconds(4),
                      .retry_period = std::chrono::milliseconds(500)}};
}

struct Candidate {
    Candidate(Server& server, const std::string& ns, const std::string& identity)
        : Candidate(server, options(ns, identity)) {}

    Candidate(Server& server, kube::LeaseOptions options)
        : elector(server.runtime(), server.client(), std::move(options)) {}

    kube::LeaderElector elector;
    std::optional<kube::Takeover> taken;
    bool lost = false;
};

awaitable<void> acquire(Candidate& candidate) {
    candidate.taken = co_await candidate.elector.acquire();
}

awaitable<void> hold(Candidate& candidate) {
    co_await candidate.elector.hold();
    candidate.lost = true;
}

awaitable<void> see_it_refused(Server& server, Candidate& leader, Candidate& other,
                               std::string ns) {
    // Longer than a term: it is renewed, and stays.
    const auto until = server.runtime().now() + std::chrono::seconds(8);
    auto watch = co_await Watch::open(server, leases, ns, "resourceVersion=0");
    int renewals = 0;
    while (server.runtime().now() < until) {
        const Seen seen = co_await watch.next();
        check_equal(holder_of(seen.object()), "first", "holder");
        ++renewals;
    }
    check(renewals > 5, "it is not renewed");
    check(!leader.lost && leader.elector.may_work_for(std::chrono::seconds(1)), "the leader lost");
    check(!other.taken, "two leaders");
}

// As the operator ends: what renews it ends first.
awaitable<void> hold_and_release(Server& server, Candidate& leader, Candidate& other,
                                 std::string ns) {
    co_await beside(server.runtime(), hold(leader), see_it_refused(server, leader, other, ns));
    const auto began = server.runtime().now();
    must(co_await leader.elector.release("a b"));
    check(!leader.elector.may_work_for({}), "still the leader after its release");
    co_await wait_until(
        server.runtime(), [&] { return other.taken.has_value(); }, "the other takes it");
    check(*other.taken == kube::Takeover::unsettled, "a takeover after a release says how it was");
    check_equal(other.elector.unsettled(), "a b", "what is unsettled");
    check(server.runtime().now() - began < std::chrono::seconds(6), "as late as after a term");
    const auto read = co_await get(server, leases, ns, "leader");
    check_equal(holder_of(read), "second", "holder");
    check(number_at(read, {"spec", "leaseTransitions"}) == 1, "leaseTransitions");
    check(number_at(read, {"spec", "leaseDurationSeconds"}) == 6, "leaseDurationSeconds");
    check(json::string_at(read, {"metadata", "annotations", kube::unsettled_annotation}).empty(),
          "what the first left unsettled stays");
}

awaitable<void> elector_release(Server& server, std::string ns) {
    Candidate first(server, ns, "first");
    Candidate second(server, ns, "second");
    co_await acquire(first);
    check(*first.taken == kube::Takeover::none, "nothing is known of who was before");
    co_await beside(server.runtime(), acquire(second), hold_and_release(server, first, second, ns));
}

// The second would read it again when the case is long over: only the watch can tell it.
awaitable<void> elector_watches(Server& server, std::string ns) {
    Candidate first(server, ns, "first");
    auto patient = options(ns, "second");
    patient.times.retry_period = std::chrono::hours(1);
    Candidate second(server, patient);
    co_await acquire(first);
    co_await beside(server.runtime(), acquire(second), hold_and_release(server, first, second, ns));
}

// The first does not renew.
awaitable<void> elector_abandoned(Server& server, std::string ns) {
    Candidate first(server, ns, "first");
    Candidate second(server, ns, "second");
    co_await acquire(first);
    const auto began = server.runtime().now();
    co_await acquire(second);
    check(*second.taken == kube::Takeover::unclean, "a takeover after a term is unclean");
    check(server.runtime().now() - began >= std::chrono::seconds(6), "before the term was over");
    check(!first.elector.may_work_for({}), "two leaders");
    // Too late, the first finds out.
    co_await hold(first);
    check(first.lost && second.elector.may_work_for({}), "the second lost");
    const auto read = co_await get(server, leases, ns, "leader");
    check_equal(holder_of(read), "second", "holder");
    check(number_at(read, {"spec", "leaseTransitions"}) == 1, "leaseTransitions");
}

awaitable<void> see_it_recreated(Server& server, Candidate& leader, Candidate& other,
                                 std::string ns) {
    const auto before = co_await get(server, leases, ns, "leader");
    auto watch = co_await Watch::open(server, leases, ns, "resourceVersion=" + version_of(before));
    // By then the other has seen it: who has not may take it once it is deleted.
    co_await watch.expect(std::vector<std::string>(5, "MODIFIED leader"));
    co_await remove(server, leases, ns, "leader");
    Seen seen = co_await watch.next();
    while (seen.str() != "ADDED leader")
        seen = co_await watch.next();
    check_equal(holder_of(seen.object()), "first", "holder");
    check(!leader.lost && leader.elector.may_work_for(std::chrono::seconds(1)), "the leader lost");
    check(!other.taken, "two leaders");
}

awaitable<void> elector_deleted(Server& server, std::string ns) {
    Candidate first(server, ns, "first");
    Candidate second(server, ns, "second");
    co_await acquire(first);
    co_await beside(
        server.runtime(), hold(first),
        beside(server.runtime(), acquire(second), see_it_recreated(server, first, second, ns)));
}

} // namespace

std::vector<Case> lease_cases() {
    return {{"a Lease, and its versions", lease_versions},
            {"PUT creates a Lease", lease_created_by_put},
            {"a Lease is watched by name", lease_watched},
            {"no such Lease", lease_refused},
            {"electors: held, released, taken cleanly", elector_release},
            {"electors: released, told by the watch", elector_watches},
            {"electors: abandoned, taken uncleanly", elector_abandoned},
            {"electors: deleted, made again", elector_deleted}};
}

} // namespace oco::conformance
