#include "reconcile/cluster/unseen_versions.hpp"

#include <doctest/doctest.h>

using namespace oco;

TEST_CASE("a watch is current until something else was read, and again when it tells of that") {
    const kube::ObjectKey secret{.ns = "team", .name = "db"};
    const kube::ObjectKey other{.ns = "team", .name = "other"};
    reconcile::UnseenVersions unseen;
    CHECK(unseen.watch_is_current(secret, "7"));
    unseen.note_read(secret, "9", "7");
    CHECK_FALSE(unseen.watch_is_current(secret, "7"));
    CHECK_FALSE(unseen.watch_is_current(secret, "8"));
    CHECK(unseen.watch_is_current(other, "7"));
    CHECK(unseen.watch_is_current(secret, "9"));
    CHECK(unseen.watch_is_current(secret, "10")); // it only goes forward

    unseen.note_read(secret, "12", "");
    CHECK_FALSE(unseen.watch_is_current(secret, "11"));
    unseen.note_read(secret, "11", "11"); // by a read that sees the newest
    CHECK(unseen.watch_is_current(secret, "11"));
}

TEST_CASE("what was put into the view by a read says nothing of the watch") {
    const kube::ObjectKey secret{.ns = "team", .name = "db"};
    reconcile::UnseenVersions unseen;
    unseen.note_read(secret, "9", "");
    unseen.note_in_view(secret);
    CHECK(unseen.watch_is_current(secret, "9"));
    CHECK_FALSE(unseen.watch_is_current(secret, "7")); // which the watch tells of only now
    unseen.note_read(secret, "9", "7");
    CHECK_FALSE(unseen.watch_is_current(secret, "8"));
    CHECK(unseen.watch_is_current(secret, "9")); // by the watch
    CHECK(unseen.watch_is_current(secret, "10"));
}
