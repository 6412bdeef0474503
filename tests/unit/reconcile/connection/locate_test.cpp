// Where an object's fields go: its OmniInstance, its right to it, and the connection that it names.
#include "reconcile/connection/locate.hpp"
#include "scene.hpp"

#include <doctest/doctest.h>

#include <functional>

using namespace oco;
using namespace oco::reconcile;
using namespace std::chrono_literals;
using test::Scene;

namespace {

std::string say_place(const Place& place, rt::TimePoint now) {
    const std::string where = place.target.empty()
                                  ? std::string("nowhere")
                                  : place.target.host + " " + place.target.connection_id;
    return where + (place.outcome ? ": " + test::say(*place.outcome, now) : "") +
           test::say(place.list, now);
}

void other_namespace(Scene& s) {
    s.object.instance.ns = s.instance.meta.key.ns = "platform";
}

void has_sent_before(Scene& s) {
    s.state.vouched.written(
        {.applied = {.target = s.target, .credential = api::AppliedCredential{}}});
}

void by_name(Scene& s) {
    s.object.connection_id.clear();
    s.object.connection_name = "main";
}

// By a list that is young enough.
void named_and_listed(Scene& s) {
    by_name(s);
    s.locate();
    s.directory.asked_at = s.now;
}

void pinned(Scene& s) {
    named_and_listed(s);
    s.locate();
}

void list_two_of_the_name(Scene& s) {
    named_and_listed(s);
    s.directory.by_id["c2"] = s.directory.by_id["c1"];
}

// The name has moved to another connection.
void rename_in_omni(Scene& s) {
    s.directory.asked_at = s.now;
    s.directory.by_id["c2"] = s.directory.by_id["c1"];
    s.directory.by_id["c1"].name = "old";
}

} // namespace

TEST_CASE("where an object's fields go") {
    struct Row {
        std::string name;
        std::function<void(Scene&)> given;
        std::string expected;
    };

    const std::string here = "acme.omniapp.co c1";
    const Row rows[] = {
        {"by id", [](Scene&) {}, here},
        {"by id, without anything known of the instance", [](Scene& s) { s.view_exists = false; },
         here},
        {"the port is part of the host",
         [](Scene& s) { s.instance.base_url = "https://ACME.omniapp.co:8443/api"; },
         "acme.omniapp.co:8443 c1"},
        {"an address that is none", [](Scene& s) { s.instance.base_url = "https://"; },
         "nowhere: HostNotAllowed stalled"},

        {"no instance", [](Scene& s) { s.instance_exists = false; },
         "nowhere: InstanceNotFound failing"},
        {"another namespace, allowed", other_namespace, here},
        {"another namespace, no instance",
         [](Scene& s) {
             other_namespace(s);
             s.instance_exists = false;
             s.rest.allowed = Allowance::no;
         },
         "nowhere: NamespaceNotAllowed stalled"},
        {"another namespace, not allowed",
         [](Scene& s) {
             other_namespace(s);
             s.rest.allowed = Allowance::no;
         },
         "nowhere: NamespaceNotAllowed stalled"},
        {"not allowed (any more) is no matter of patience",
         [](Scene& s) {
             other_namespace(s);
             has_sent_before(s);
             s.rest.allowed = Allowance::no;
         },
         "nowhere: NamespaceNotAllowed stalled"},
        {"a namespace that is not watched",
         [](Scene& s) {
             other_namespace(s);
             s.rest.namespace_watched = false;
             s.instance_exists = false;
         },
         "nowhere: NamespaceNotAllowed stalled"},

        {"whether it is allowed is not known yet",
         [](Scene& s) {
             other_namespace(s);
             s.rest.allowed = Allowance::unknown;
         },
         "nowhere: Progressing progressing soon"},
        {"nor can it be",
         [](Scene& s) {
             other_namespace(s);
             s.rest.allowed = Allowance::unknown;
             s.rest.namespaces_trouble = "403";
         },
         "nowhere: NamespaceNotAllowed stalled"},
        {"who has sent before goes on",
         [](Scene& s) {
             other_namespace(s);
             s.rest.allowed = Allowance::unknown;
             s.rest.namespaces_trouble = "403";
             has_sent_before(s);
         },
         here},
        {"who has sent before goes on for a minute",
         [](Scene& s) {
             other_namespace(s);
             s.rest.allowed = Allowance::unknown;
             has_sent_before(s);
             s.state.unproved_since = s.now - 59s;
         },
         here},
        {"and no longer",
         [](Scene& s) {
             other_namespace(s);
             s.rest.allowed = Allowance::unknown;
             has_sent_before(s);
             s.state.unproved_since = s.now - 60s;
         },
         "nowhere: Progressing progressing soon"},

        {"an allowed connection",
         [](Scene& s) {
             s.instance.allowed_connections = {"c1", "c2"};
         },
         here},
        {"another than the allowed connections",
         [](Scene& s) { s.instance.allowed_connections = {"c2"}; },
         "nowhere: ConnectionNotAllowed stalled"},
        {"an empty list of allowed connections allows none",
         [](Scene& s) { s.instance.allowed_connections.emplace(); },
         "nowhere: ConnectionNotAllowed stalled"},

        {"by name: a list from before it was seen does not count", by_name,
         "nowhere: Progressing progressing soon; list+0"},
        {"by name: no list yet",
         [](Scene& s) {
             by_name(s);
             s.directory.asked_at.reset();
         },
         "nowhere: Progressing progressing soon; list+0"},
        {"by name: the list that is waited for stays the same",
         [](Scene& s) {
             by_name(s);
             s.state.pin = {.meaning = "team/omni acme.omniapp.co main",
                            .since = s.now - 5s,
                            .from = "team/omni: main"};
         },
         "nowhere: Progressing progressing soon; list-5"},
        {"by name: a list from after it was seen", named_and_listed, here},
        {"by name: the instance says why there is no list",
         [](Scene& s) {
             by_name(s);
             s.view.outcome = outcome(reason::omni_unavailable, "502");
         },
         "nowhere: OmniUnavailable failing; list+0"},
        {"by name: nothing is known of the instance",
         [](Scene& s) {
             by_name(s);
             s.view_exists = false;
         },
         "nowhere: Progressing progressing soon"},
        {"by name: the key is refused",
         [](Scene& s) {
             by_name(s);
             s.view.usable = false;
             s.view.outcome = outcome(reason::unauthorized, "no");
         },
         "nowhere: Unauthorized stalled"},
        {"by name: the key may not list",
         [](Scene& s) {
             by_name(s);
             s.directory.refused = true;
         },
         "nowhere: Forbidden stalled again+10; list+0"},
        {"by name: none has it",
         [](Scene& s) {
             named_and_listed(s);
             s.directory.by_id.clear();
         },
         "nowhere: ConnectionNotFound stalled again+600"},
        {"by name: case counts",
         [](Scene& s) {
             named_and_listed(s);
             s.directory.by_id["c1"].name = "Main";
         },
         "nowhere: ConnectionNotFound stalled again+600"},
        {"by name: a deleted one does not count",
         [](Scene& s) {
             named_and_listed(s);
             s.directory.by_id["c1"].deleted = true;
         },
         "nowhere: ConnectionNotFound stalled again+600"},
        {"by name: two have it", list_two_of_the_name,
         "nowhere: ConnectionNameAmbiguous stalled again+600"},
        {"by name: two have it, and one is deleted",
         [](Scene& s) {
             list_two_of_the_name(s);
             s.directory.by_id["c2"].deleted = true;
         },
         here},
        {"by name: two have it, and one is not allowed",
         [](Scene& s) {
             list_two_of_the_name(s);
             s.instance.allowed_connections = {"c1"};
         },
         here},
        {"by name: one that is not allowed is not seen",
         [](Scene& s) {
             named_and_listed(s);
             s.instance.allowed_connections = {"c2"};
         },
         "nowhere: ConnectionNotFound stalled again+600"},

        {"pinned: a rename in Omni does not redirect it",
         [](Scene& s) {
             pinned(s);
             rename_in_omni(s);
         },
         here},
        {"pinned: deleted in Omni, and another has the name",
         [](Scene& s) {
             pinned(s);
             rename_in_omni(s);
             s.directory.by_id["c1"].deleted = true;
         },
         "acme.omniapp.co c2"},
        {"pinned: deleted in Omni, and nobody has the name",
         [](Scene& s) {
             pinned(s);
             s.directory.by_id["c1"].deleted = true;
         },
         "nowhere: ConnectionNotFound stalled again+600"},
        {"pinned: nothing is known of the instance",
         [](Scene& s) {
             pinned(s);
             s.view_exists = false;
         },
         here},
        {"pinned: no longer allowed",
         [](Scene& s) {
             pinned(s);
             s.instance.allowed_connections = {"c2"};
         },
         "nowhere: ConnectionNotAllowed stalled"},
        {"pinned: another name is looked up, by a list from after it was seen",
         [](Scene& s) {
             pinned(s);
             s.directory.asked_at = s.now - 1s;
             s.object.connection_name = "second";
         },
         "nowhere: Progressing progressing soon; list+0"},
        {"pinned: another instance's is looked up",
         [](Scene& s) {
             pinned(s);
             s.directory.asked_at = s.now - 1s;
             s.object.instance.name = s.instance.meta.key.name = "second";
         },
         "nowhere: Progressing progressing soon; list+0"},
        {"pinned: at another host it is looked up",
         [](Scene& s) {
             pinned(s);
             s.directory.asked_at = s.now - 1s;
             s.instance.base_url = "https://other.omniapp.co";
         },
         "nowhere: Progressing progressing soon; list+0"},
        {"pinned: named by id from now on",
         [](Scene& s) {
             pinned(s);
             s.object.connection_name.clear();
             s.object.connection_id = "c9";
         },
         "acme.omniapp.co c9"},
    };
    for (const Row& row : rows) {
        CAPTURE(row.name);
        Scene scene;
        row.given(scene);
        CHECK(say_place(scene.locate(), scene.now) == row.expected);
    }
}

TEST_CASE("from another namespace, absent and not allowed read alike") {
    Scene absent;
    other_namespace(absent);
    absent.rest.allowed = Allowance::no;
    absent.instance_exists = false;
    Scene forbidden;
    other_namespace(forbidden);
    forbidden.rest.allowed = Allowance::no;
    CHECK(absent.locate().outcome->message == forbidden.locate().outcome->message);
}

TEST_CASE("a namespace that is not watched is said so, and so is what keeps an allowance unknown") {
    Scene unwatched;
    other_namespace(unwatched);
    unwatched.rest.namespace_watched = false;
    const std::string message = unwatched.locate().outcome->message;
    CHECK(message.find("platform") != std::string::npos);
    CHECK(message.find("--namespace") != std::string::npos);
    Scene unknown;
    other_namespace(unknown);
    unknown.rest.allowed = Allowance::unknown;
    unknown.rest.namespaces_trouble = "namespaces may not be listed";
    CHECK(unknown.locate().outcome->message.find("namespaces may not be listed") !=
          std::string::npos);
}

TEST_CASE("a name is looked up again after a name that meant nothing, and stays pinned then") {
    Scene scene;
    by_name(scene);
    scene.locate();
    scene.directory.asked_at = scene.now;
    scene.directory.by_id["c1"].name = "other";
    CHECK(scene.locate().target.empty());
    scene.directory.by_id["c1"].name = "main";
    CHECK(scene.locate().target == scene.target);
    CHECK(scene.state.pin.id == "c1");
    rename_in_omni(scene);
    CHECK(scene.locate().target == scene.target);
}

TEST_CASE("a name that goes away and comes back is a name that changed") {
    Scene scene;
    pinned(scene);
    scene.directory.asked_at = scene.now - 1s;
    scene.object.connection_name = "second";
    scene.locate();
    scene.object.connection_name = "main";
    rename_in_omni(scene);
    scene.directory.asked_at = scene.now - 1s;
    CHECK(scene.locate().target.empty());
    scene.directory.asked_at = scene.now;
    CHECK(scene.locate().target.connection_id == "c2");
}

TEST_CASE("what the process before had pinned") {
    struct Row {
        std::string name;
        std::function<void(api::OmniConnection&)> given;
        bool pinned;
    };

    const Row rows[] = {
        {"for this very spec", [](api::OmniConnection&) {}, true},
        {"named by id", [](api::OmniConnection& o) { o.connection_name.clear(); }, false},
        {"nothing", [](api::OmniConnection& o) { o.status.connection_id.clear(); }, false},
        {"something else was changed", [](api::OmniConnection& o) { ++o.meta.generation; }, true},
        {"another instance", [](api::OmniConnection& o) { o.instance.name = "another"; }, false},
        {"another name", [](api::OmniConnection& o) { o.connection_name = "another"; }, false},
        {"a status that contradicts itself",
         [](api::OmniConnection& o) { o.status.applied.target.connection_id = "c2"; }, false},
        {"a status that names no host",
         [](api::OmniConnection& o) { o.status.applied.target = {}; }, false},
    };
    for (const Row& row : rows) {
        CAPTURE(row.name);
        Scene scene;
        by_name(scene);
        scene.object.status = scene.state.status;
        scene.object.status.connection_id = "c1";
        scene.object.status.resolved_from = resolved_from(scene.object);
        row.given(scene.object);
        restore_pin(scene.state, scene.object);
        CHECK((scene.state.pin.id == "c1") == row.pinned);
        if (row.pinned) {
            rename_in_omni(scene);
            CHECK(scene.locate().target == scene.target);
        }
    }
    Scene elsewhere; // the instance has another address now
    by_name(elsewhere);
    elsewhere.object.status = elsewhere.state.status;
    elsewhere.object.status.connection_id = "c1";
    restore_pin(elsewhere.state, elsewhere.object);
    elsewhere.instance.base_url = "https://other.omniapp.co";
    elsewhere.directory.asked_at = elsewhere.now - 1s;
    CHECK(elsewhere.locate().target.empty());
}

TEST_CASE("what an object names, as far as that is known") {
    Scene scene;
    const auto named = [&] {
        return named_target(scene.object, scene.instance, scene.state.pin);
    };
    CHECK(named() == scene.target);
    scene.instance.allowed_connections = {"c2"};
    CHECK_FALSE(named());
    scene.instance.allowed_connections.reset();
    by_name(scene);
    CHECK(named() == Target{.host = "acme.omniapp.co", .connection_id = ""});
    pinned(scene);
    CHECK(named() == scene.target);
    scene.object.connection_name = "second";
    CHECK(named() == Target{.host = "acme.omniapp.co", .connection_id = ""});
    scene.instance.base_url = "nonsense";
    CHECK_FALSE(named());
}
