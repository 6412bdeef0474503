// Which request comes next, and how it goes on after what the server answers.
#include "kube/watch_machine.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace oco;
using namespace oco::kube;
using State = WatchMachine::State;
using Effect = WatchMachine::Effect;
using Pause = WatchMachine::Recovery::Pause;
using Type = WatchEvent::Type;

namespace {

WatchEvent event(Type type, std::string version = "1") {
    return {.type = type, .resource_version = std::move(version), .message = "told"};
}

WatchEvent classified(std::string_view line) {
    auto document = json::parse(line);
    REQUIRE(document.has_value());
    return classify_watch_event(*document);
}

Error error(ErrorClass kind) {
    return make_error(kind, "failed");
}

// As the watcher does around a stream that is accepted.
void open(WatchMachine& machine) {
    machine.next();
    if (machine.state() != State::watching)
        machine.list_begins();
    machine.opened();
}

Effect take(WatchMachine& machine, const WatchEvent& what) {
    auto effect = machine.event(what);
    REQUIRE(effect.has_value());
    return *effect;
}

// A machine that follows from version 7, after a streamed list.
WatchMachine watching() {
    WatchMachine machine;
    open(machine);
    take(machine, event(Type::initial_events_end, "7"));
    return machine;
}

// The same, of a server that offers lists in pages only.
WatchMachine listing() {
    WatchMachine machine;
    machine.next();
    machine.list_begins();
    machine.failed(error(ErrorClass::refused));
    machine.next();
    machine.list_begins();
    return machine;
}

} // namespace

TEST_CASE("each line of a watch is what it says") {
    struct Case {
        std::string_view line;
        Type type;
        std::string_view version;
    };

    const Case cases[] = {
        {R"({"type":"ADDED","object":{"metadata":{"resourceVersion":"5"}}})", Type::changed, "5"},
        {R"({"type":"MODIFIED","object":{"metadata":{"resourceVersion":"5"}}})", Type::changed,
         "5"},
        {R"({"type":"DELETED","object":{"metadata":{"resourceVersion":"6"}}})", Type::deleted, "6"},
        {R"({"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"9"}}})", Type::bookmark,
         "9"},
        {R"({"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"9",
            "annotations":{"k8s.io/initial-events-end":"true"}}}})",
         Type::initial_events_end, "9"},
        {R"({"type":"ERROR","object":{"code":410,"message":"too old"}})", Type::expired, ""},
        {R"({"type":"ERROR","object":{"code":500,"message":"oops"}})", Type::error, ""},
        {R"({"type":"ERROR"})", Type::error, ""},
        {R"({"type":"ADDED","object":{"metadata":{}}})", Type::error, ""},
        {R"({"type":"GREETING","object":{"metadata":{"resourceVersion":"5"}}})", Type::error, "5"},
        {R"([])", Type::error, ""},
    };
    for (const auto& c : cases) {
        INFO(c.line);
        const WatchEvent got = classified(c.line);
        CHECK(got.type == c.type);
        CHECK(got.resource_version == c.version);
    }
}

TEST_CASE("a streamed list goes on as a watch") {
    WatchMachine machine;
    open(machine);
    CHECK(machine.state() == State::streaming);
    CHECK(take(machine, event(Type::changed, "3")) == Effect::put);
    CHECK(take(machine, event(Type::changed, "2")) == Effect::put); // a list has no order
    CHECK(take(machine, event(Type::deleted, "4")) == Effect::remove);
    CHECK(!machine.fresh());
    CHECK(take(machine, event(Type::initial_events_end, "7")) == Effect::complete);
    CHECK(machine.state() == State::watching);
    CHECK(machine.version() == "7");
    CHECK(machine.fresh());
    CHECK(take(machine, event(Type::changed, "8")) == Effect::put);
    CHECK(take(machine, event(Type::bookmark, "9")) == Effect::none);
    CHECK(machine.version() == "9");
}

TEST_CASE("a server without streamed lists is asked for pages, for good and without a word") {
    WatchMachine machine;
    SUBCASE("it refuses") {
        machine.next(), machine.list_begins();
    }
    SUBCASE("it ends the stream before the list") {
        open(machine);
        take(machine, event(Type::changed));
        CHECK(machine.ended(std::chrono::minutes(5)).has_error());
    }
    SUBCASE("it never says where the list ends") {
        open(machine);
        take(machine, event(Type::changed));
        CHECK(machine.event(event(Type::bookmark)).has_error());
    }
    const auto recovery = machine.failed(error(ErrorClass::refused));
    CHECK(recovery.pause == Pause::none);
    CHECK(recovery.quiet);
    CHECK(machine.state() == State::listing);
    machine.list_begins();
    CHECK(*machine.page("4", "more") == Effect::none);
    CHECK(machine.continue_token() == "more");
    CHECK(*machine.page("4", "") == Effect::complete);
    CHECK(machine.state() == State::watching);
    CHECK(machine.version() == "4");
    machine.failed(error(ErrorClass::expired));
    CHECK(machine.state() == State::listing);
    CHECK(machine.page("", "").has_error());
}

TEST_CASE("a list in pages begins again when its continue token is too old, else goes on") {
    WatchMachine machine = listing();
    REQUIRE(machine.page("4", "more").has_value());
    machine.failed(error(ErrorClass::unavailable));
    CHECK(machine.continue_token() == "more");
    machine.failed(error(ErrorClass::expired));
    CHECK(machine.continue_token().empty());
    CHECK(machine.state() == State::listing);
}

TEST_CASE("how it goes on after a failure of a watch") {
    struct Case {
        ErrorClass kind;
        State state;
        Pause pause;
    };

    const Case cases[] = {
        {ErrorClass::expired, State::streaming, Pause::none},
        {ErrorClass::not_found, State::streaming, Pause::backoff},
        {ErrorClass::invalid, State::streaming, Pause::backoff},
        {ErrorClass::unavailable, State::checking, Pause::backoff},
        {ErrorClass::unauthorized, State::checking, Pause::backoff},
        {ErrorClass::forbidden, State::checking, Pause::backoff},
        {ErrorClass::rate_limited, State::checking, Pause::backoff},
        {ErrorClass::tls, State::checking, Pause::backoff},
    };
    for (const auto& c : cases) {
        INFO(static_cast<int>(c.kind));
        WatchMachine machine = watching();
        machine.next();
        const auto recovery = machine.failed(error(c.kind));
        CHECK(machine.state() == c.state);
        CHECK(recovery.pause == c.pause);
        CHECK(!recovery.quiet);
        CHECK(machine.version() == (c.state == State::checking ? "7" : ""));
    }
}

TEST_CASE("410 after 410 is no loop without pauses") {
    WatchMachine machine = watching();
    machine.next();
    CHECK(machine.failed(error(ErrorClass::expired)).pause == Pause::none);
    machine.next();
    CHECK(machine.failed(error(ErrorClass::expired)).pause == Pause::backoff);
    CHECK(machine.failures() == 2);
    open(machine);
    take(machine, event(Type::changed, "8"));
    CHECK(machine.failures() == 0);
}

TEST_CASE("410 right after each list is no loop without pauses") {
    WatchMachine machine;
    for (int i = 1; i <= 5; ++i) {
        open(machine);
        take(machine, event(Type::initial_events_end, "7"));
        const auto recovery = machine.failed(error(ErrorClass::expired));
        CHECK(recovery.pause == (i == 1 ? Pause::none : Pause::backoff));
        CHECK(machine.failures() == i);
    }
    open(machine);
    take(machine, event(Type::initial_events_end, "7"));
    machine.next();
    machine.opened();
    CHECK(machine.ended(std::chrono::minutes(1)).has_value());
    CHECK(machine.failed(error(ErrorClass::expired)).pause == Pause::none);
}

TEST_CASE("a watch that has lived is cut: no failure, and checked for a server that went back") {
    WatchMachine machine = watching();
    for (int i = 0; i < 10; ++i) {
        open(machine);
        const auto recovery =
            machine.failed(error(ErrorClass::unavailable), std::chrono::seconds(35));
        CHECK(recovery.quiet);
        CHECK(machine.failures() == 1); // the shortest pause
        CHECK(machine.state() == State::checking);
        machine.checked(i % 2 == 0 ? "7" : "12");
        CHECK(machine.state() == State::watching);
    }
    open(machine);
    machine.failed(error(ErrorClass::unavailable), std::chrono::seconds(35));
    machine.checked("6");
    CHECK(machine.state() == State::streaming);
}

TEST_CASE("a watch that brought nothing to its end is checked; one with a bookmark is not") {
    WatchMachine machine = watching();
    open(machine);
    CHECK(machine.ended(std::chrono::seconds(45)).has_value());
    CHECK(machine.state() == State::checking);
    machine.checked("7");
    open(machine);
    take(machine, event(Type::bookmark, "9"));
    CHECK(machine.ended(std::chrono::seconds(45)).has_value());
    CHECK(machine.state() == State::watching);
}

TEST_CASE("the server's wish for a pause is a lower bound") {
    WatchMachine machine = watching();
    Error busy = error(ErrorClass::rate_limited);
    busy.retry_after = std::chrono::seconds(40);
    CHECK(machine.failed(busy).least == std::chrono::seconds(40));
}

TEST_CASE("a watch that ends at once, without an event, is a failure") {
    WatchMachine machine = watching();
    open(machine);
    CHECK(machine.ended(std::chrono::milliseconds(10)).has_error());
    open(machine);
    CHECK(machine.ended(std::chrono::minutes(5)).has_value());
    machine.checked("7");
    open(machine);
    take(machine, event(Type::changed, "8"));
    CHECK(machine.ended(std::chrono::milliseconds(10)).has_value());
}

TEST_CASE("errors in the stream") {
    WatchMachine machine = watching();
    open(machine);
    CHECK(machine.event(event(Type::expired)).error().kind == ErrorClass::expired);
    CHECK(machine.event(event(Type::error)).error().kind == ErrorClass::unavailable);
    CHECK(machine.version() == "7");
}

TEST_CASE("an event that comes again does not turn the view back") {
    WatchMachine machine = watching();
    open(machine);
    CHECK(take(machine, event(Type::changed, "8")) == Effect::put);
    CHECK(take(machine, event(Type::deleted, "9")) == Effect::remove);
    CHECK(take(machine, event(Type::changed, "8")) == Effect::none);
    CHECK(take(machine, event(Type::deleted, "9")) == Effect::none);
    CHECK(machine.version() == "9");
}

TEST_CASE("a refresh makes an open stream useless, and lists again without a pause") {
    WatchMachine machine = watching();
    open(machine);
    machine.refresh();
    CHECK(machine.outdated());
    CHECK(!machine.fresh());
    const auto recovery = machine.failed(error(ErrorClass::unavailable)); // we closed it
    CHECK(recovery.pause == Pause::none);
    CHECK(recovery.quiet);
    open(machine);
    CHECK(machine.state() == State::streaming);
    CHECK(!machine.outdated());
    take(machine, event(Type::initial_events_end, "12"));
    CHECK(machine.fresh());
}

TEST_CASE("a list that began before the refresh is not fresh") {
    WatchMachine machine = listing();
    machine.refresh();
    REQUIRE(machine.page("4", "").has_value());
    CHECK(!machine.fresh());
    machine.next();
    CHECK(machine.state() == State::listing);
    machine.list_begins();
    REQUIRE(machine.page("5", "").has_value());
    CHECK(machine.fresh());
}
