// When a status may be written, on passed-in time.
#include "reconcile/status/status_schedule.hpp"
#include "support/test_time.hpp"

#include <doctest/doctest.h>

using namespace oco;
using namespace oco::reconcile;
using namespace std::chrono_literals;

namespace {

using test::start;
using When = std::optional<rt::TimePoint>;

api::OmniConnection::Status some_status() {
    return {.observed_generation = 1,
            .conditions = {{.type = "Ready",
                            .status = "True",
                            .reason = "Synced",
                            .message = "fine",
                            .last_transition_time = "t"}},
            .applied = {.target = {.host = "h", .connection_id = "c"},
                        .credential = api::AppliedCredential{
                            .secret_resource_version = "1", .digest = "d", .pushed_at = "p"}}};
}

} // namespace

TEST_CASE("what is urgent, and what is ours") {
    using Status = api::OmniConnection::Status;

    struct Row {
        const char* name;
        void (*change)(Status&);
        bool all;    // differs
        bool urgent; // differs
    };

    const Row rows[] = {
        {"nothing", [](Status&) {}, false, false},
        {"another controller's condition",
         [](Status& s) { s.conditions.push_back({.type = "Audited", .status = "True"}); }, false,
         false},
        {"the message", [](Status& s) { s.conditions[0].message = "very"; }, true, false},
        {"the generation", [](Status& s) { s.observed_generation = 2; }, true, false},
        {"the Secret's version",
         [](Status& s) { s.applied.credential->secret_resource_version = "2"; }, true, false},
        {"the reason", [](Status& s) { s.conditions[0].reason = "Suspended"; }, true, true},
        {"Ready", [](Status& s) { s.conditions[0].status = "False"; }, true, true},
        {"a value", [](Status& s) { s.applied.credential->digest = "e"; }, true, true},
        {"the same value again", [](Status& s) { s.applied.credential->pushed_at = "q"; }, true,
         true},
        {"the target", [](Status& s) { s.applied.target.host = "i"; }, true, true},
        {"no answer", [](Status& s) { s.unanswered.insert(omni::Field::base_role); }, true, true},
    };
    const StatusFingerprints before = fingerprints_of(some_status());
    for (const auto& row : rows) {
        CAPTURE(row.name);
        Status status = some_status();
        row.change(status);
        CHECK((fingerprints_of(status).all != before.all) == row.all);
        CHECK((fingerprints_of(status).urgent != before.urgent) == row.urgent);
    }
}

TEST_CASE("what the API server has is not written; what is urgent is written at once") {
    StatusSchedule schedule;
    schedule.adopt({.all = "a", .urgent = "u"});
    CHECK(!schedule.due({.all = "a", .urgent = "u"}, start));
    CHECK(schedule.due({.all = "b", .urgent = "u"}, start) ==
          When(start)); // the first of this process
    schedule.begin({.all = "b", .urgent = "u"});
    schedule.written(start);
    CHECK(!schedule.due({.all = "b", .urgent = "u"}, start));
    CHECK(schedule.due({.all = "c", .urgent = "u"}, start + 100ms) == When(start + 1s));
    CHECK(schedule.due({.all = "c", .urgent = "v"}, start + 100ms) == When(start + 100ms));
    CHECK(schedule.due({.all = "c", .urgent = "u"}, start + 5s) == When(start + 5s));
}

TEST_CASE("a storm of changes makes a write a second, and the last of them is written") {
    StatusSchedule schedule;
    schedule.adopt({.all = "", .urgent = "u"});
    int writes = 0;
    std::string last;
    for (int i = 0; i < 1000; ++i) { // 10 s
        const auto now = start + i * 10ms;
        const StatusFingerprints wanted{.all = std::to_string(std::min(i, 990)), .urgent = "u"};
        if (const auto due = schedule.due(wanted, now); due && *due <= now) {
            schedule.begin(wanted);
            schedule.written(now);
            ++writes;
            last = wanted.all;
        }
    }
    CHECK(writes == 10);
    const auto due = schedule.due({.all = "990", .urgent = "u"}, start + 10s);
    CHECK((last == "990" || due == When(start + 10s)));
}

TEST_CASE("a write that failed, or was cut, is due again") {
    StatusSchedule schedule;
    schedule.adopt({.all = "a", .urgent = "u"});
    schedule.begin({.all = "b", .urgent = "v"});
    CHECK(schedule.due({.all = "b", .urgent = "v"}, start) == When(start)); // cut
    schedule.failed(start + 3s);
    CHECK(schedule.failures() == 1);
    CHECK(schedule.due({.all = "b", .urgent = "v"}, start) == When(start + 3s));
    CHECK(schedule.due({.all = "a", .urgent = "u"}, start) ==
          When(start + 3s)); // it may have arrived
    CHECK(schedule.due({.all = "c", .urgent = "w"}, start + 4s) == When(start + 4s));
    schedule.begin({.all = "c", .urgent = "w"});
    schedule.written(start + 4s);
    CHECK(schedule.failures() == 0);
    CHECK(!schedule.due({.all = "c", .urgent = "w"}, start + 4s));
}

TEST_CASE("an edit by somebody else is undone, once, and our own echo is none") {
    const StatusFingerprints ours{.all = "b", .urgent = "u"};
    StatusSchedule schedule;
    schedule.adopt({.all = "a", .urgent = "u"});
    schedule.begin(ours);
    CHECK(!schedule.delivered("b", start)); // the echo may come before the answer
    schedule.written(start);
    CHECK(!schedule.delivered("b", start + 1s));
    CHECK(!schedule.review("b", start + 1s));
    CHECK(!schedule.due(ours, start + 5s));

    // The watch lags: an older state proves nothing, and the newest clears it up.
    CHECK(schedule.delivered("a", start + 500ms) == When(start + 2s));
    CHECK(schedule.review("a", start + 1s) == When(start + 2s));
    CHECK(!schedule.due(ours, start + 1s));
    CHECK(!schedule.review("b", start + 2s));
    CHECK(!schedule.due(ours, start + 2s));

    // An edit.
    CHECK(schedule.delivered("edited", start + 10s) == When(start + 10s));
    CHECK(!schedule.review("edited", start + 10s));
    CHECK(schedule.due(ours, start + 10s) == When(start + 10s));
    schedule.begin(ours);
    schedule.written(start + 10s);
    // It stays as it is (a server that stores another form): no loop without another delivery.
    CHECK(!schedule.review("edited", start + 20s));
    CHECK(!schedule.due(ours, start + 20s));
}

TEST_CASE("the form on the wire reads back as what was written") {
    auto status = some_status();
    status.unanswered = {omni::Field::base_role};
    json::Writer writer;
    writer.begin_object().field("status");
    encode(writer, status);
    writer.end_object();
    const auto document = json::parse(writer.view());
    REQUIRE(document.has_value());
    CHECK(fingerprints_of(api::OmniConnection::decode(*document).status).all ==
          fingerprints_of(status).all);
}

TEST_CASE("who insists on another status is answered after growing pauses") {
    StatusSchedule schedule;
    const auto ours = fingerprints_of(some_status());
    schedule.adopt(ours);
    rt::TimePoint now = start;
    rt::Duration last{};
    for (int i = 1; i <= 12; ++i) {
        schedule.delivered("theirs", now);
        if (const auto later = schedule.review("theirs", now)) {
            now = *later;
            CHECK_FALSE(schedule.review("theirs", now));
        }
        CHECK(schedule.contests() == i);
        const auto due = schedule.due(ours, now);
        REQUIRE(due);
        const rt::Duration pause = *due - now;
        CHECK(pause >= last);
        CHECK(pause <= StatusSchedule::longest_contest_pause);
        last = pause;
        now = *due;
        schedule.begin(ours);
        schedule.written(now);
    }
    CHECK(last == StatusSchedule::longest_contest_pause);
    auto other = some_status();
    other.conditions[0].reason = "Rejected";
    schedule.delivered("theirs", now + 3s);
    schedule.review("theirs", now + 3s);
    CHECK(schedule.due(fingerprints_of(other), now + 3s) == now + 3s); // news are not held up
    // Left alone for long, the next edit is undone at once.
    now += 1h;
    schedule.delivered("theirs", now);
    CHECK_FALSE(schedule.review("theirs", now));
    CHECK(schedule.contests() == 1);
    CHECK(schedule.due(ours, now) == now);
}
