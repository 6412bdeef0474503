// What is known of one field: every event in every state, and random stories against a model of
// Omni that knows the truth.
#include "reconcile/connection/field_state.hpp"
#include "support/test_time.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <set>
#include <string_view>

using namespace oco;
using namespace oco::reconcile;
using namespace std::chrono_literals;

namespace {

using FieldStep = void (*)(FieldState&, rt::TimePoint now);

AppliedEntry role_entry(const std::string& value) {
    return api::AppliedBaseRole{.value = value};
}

void accept_value(FieldState& field, const std::string& uid, const std::string& digest,
                  rt::TimePoint now) {
    field.begin_sending(uid, digest);
    field.accepted(role_entry(digest), now);
}

void lose_answer(FieldState& field, const std::string& uid, const std::string& digest,
                 rt::TimePoint now) {
    field.begin_sending(uid, digest);
    field.unanswered(LandsLate::maybe, now);
}

std::string seconds_from(rt::TimePoint now, rt::TimePoint when) {
    return "+" +
           std::to_string(std::chrono::duration_cast<std::chrono::seconds>(when - now).count());
}

// All that the field says of one object.
std::string look_at(const FieldState& field, const std::string& uid, rt::TimePoint now) {
    const auto* value = field.applied_by(uid);
    std::string text = value == nullptr ? "unknown" : "holds " + value->digest;
    if (field.sent_by(uid))
        text += " sending";
    if (field.in_doubt(uid, now))
        text += " doubt";
    if (const auto settled = field.doubt_ends_at(now))
        text += " settles" + seconds_from(now, *settled);
    if (const auto again = field.confirm_at(uid))
        text += " again" + seconds_from(now, *again);
    return text;
}

// --- the states, as they are made

void nothing_known(FieldState& /*field*/, rt::TimePoint /*now*/) {}

void holding_1(FieldState& field, rt::TimePoint now) {
    accept_value(field, "a", "1", now);
}

void sending_1(FieldState& field, rt::TimePoint /*now*/) {
    field.begin_sending("a", "1");
}

void sending_2_over_1(FieldState& field, rt::TimePoint now) {
    accept_value(field, "a", "1", now);
    field.begin_sending("a", "2");
}

void silent_2_over_1(FieldState& field, rt::TimePoint now) {
    sending_2_over_1(field, now);
    field.note_silence();
}

void unanswered_1(FieldState& field, rt::TimePoint now) {
    lose_answer(field, "a", "1", now);
}

void confirming_2_after_1(FieldState& field, rt::TimePoint now) {
    lose_answer(field, "a", "1", now);
    accept_value(field, "a", "2", now);
}

void released_while_sending(FieldState& field, rt::TimePoint now) {
    sending_2_over_1(field, now);
    field.release("a");
}

void released_while_silent(FieldState& field, rt::TimePoint now) {
    silent_2_over_1(field, now);
    field.release("a");
}

void suspected_for_60s(FieldState& field, rt::TimePoint now) {
    field.suspect_until(now + 60s);
}

void other_holds_9(FieldState& field, rt::TimePoint now) {
    accept_value(field, "b", "9", now);
}

void other_unanswered_9(FieldState& field, rt::TimePoint now) {
    lose_answer(field, "b", "9", now);
}

// --- the events

void nothing_happens(FieldState& /*field*/, rt::TimePoint /*now*/) {}

void accepted(FieldState& field, rt::TimePoint now) {
    field.accepted(role_entry("role"), now);
}

void refused(FieldState& field, rt::TimePoint /*now*/) {
    field.rejected();
}

void unanswered_and_may_land(FieldState& field, rt::TimePoint now) {
    field.unanswered(LandsLate::maybe, now);
}

void unanswered_but_over(FieldState& field, rt::TimePoint now) {
    field.unanswered(LandsLate::no, now);
}

void cut_off(FieldState& field, rt::TimePoint now) {
    field.cut(now);
}

void silence(FieldState& field, rt::TimePoint /*now*/) {
    field.note_silence();
}

void silence_then_refused(FieldState& field, rt::TimePoint /*now*/) {
    field.note_silence();
    field.rejected();
}

void released(FieldState& field, rt::TimePoint /*now*/) {
    field.release("a");
}

void other_released(FieldState& field, rt::TimePoint /*now*/) {
    field.release("b");
}

void sends_2(FieldState& field, rt::TimePoint /*now*/) {
    field.begin_sending("a", "2");
}

template<char digest>
void accepted_anew(FieldState& field, rt::TimePoint now) {
    accept_value(field, "a", std::string(1, digest), now);
}

template<char digest>
void lost_anew(FieldState& field, rt::TimePoint now) {
    lose_answer(field, "a", std::string(1, digest), now);
}

template<char digest>
void refused_anew(FieldState& field, rt::TimePoint /*now*/) {
    field.begin_sending("a", std::string(1, digest));
    field.rejected();
}

void over_in_vain(FieldState& field, rt::TimePoint now) {
    field.begin_sending("a", "3");
    field.unanswered(LandsLate::no, now);
}

void other_sends_9(FieldState& field, rt::TimePoint now) {
    accept_value(field, "b", "9", now);
}

void doubt_in_status(FieldState& field, rt::TimePoint now) {
    field.doubt_until("a", now + 60s);
}

void suspicion(FieldState& field, rt::TimePoint now) {
    field.suspect_until(now + 60s);
}

void status_says_1(FieldState& field, rt::TimePoint /*now*/) {
    field.restore({.uid = "a", .digest = "1", .entry = role_entry("1")});
}

void two_statuses(FieldState& field, rt::TimePoint /*now*/) {
    field.restore({.uid = "a", .digest = "1", .entry = role_entry("1")});
    field.restore({.uid = "b", .digest = "9", .entry = role_entry("9")});
}

} // namespace

// The state is made ten seconds before the event.
TEST_CASE("every event in every state") {
    struct Row {
        std::string given;
        FieldStep make;
        std::string event_name;
        FieldStep event;
        const char* expected; // of object a
        std::string_view of_other = "unknown";
    };

    const Row rows[] = {
        {"void", nothing_known, "nothing", nothing_happens, "unknown"},
        {"void", nothing_known, "silence", silence, "unknown"},
        {"void", nothing_known, "cut", cut_off, "unknown"},
        {"void", nothing_known, "released", released, "unknown"},
        {"void", nothing_known, "sends", sends_2, "unknown sending"},
        {"void", nothing_known, "accepted", accepted_anew<'1'>, "holds 1"},
        {"void", nothing_known, "refused", refused_anew<'1'>, "unknown"},
        {"void", nothing_known, "unanswered", lost_anew<'1'>, "unknown doubt settles+60"},
        {"void", nothing_known, "doubt in the status", doubt_in_status, "unknown doubt settles+60"},
        {"void", nothing_known, "suspicion", suspicion, "unknown"},
        {"void", nothing_known, "restored", status_says_1, "holds 1"},
        {"void", nothing_known, "contradicted", two_statuses, "unknown"},

        {"holding 1", holding_1, "nothing", nothing_happens, "holds 1"},
        {"holding 1", holding_1, "silence of nobody", silence, "holds 1"},
        {"holding 1", holding_1, "cut", cut_off, "holds 1"},
        {"holding 1", holding_1, "released", released, "unknown"},
        {"holding 1", holding_1, "another released", other_released, "holds 1"},
        {"holding 1", holding_1, "2 accepted", accepted_anew<'2'>, "holds 2"},
        {"holding 1", holding_1, "2 refused", refused_anew<'2'>, "holds 1"},
        {"holding 1", holding_1, "2 unanswered", lost_anew<'2'>, "unknown doubt settles+60"},
        {"holding 1", holding_1, "3 answered by nobody, and over", over_in_vain, "unknown doubt"},
        {"holding 1", holding_1, "another's accepted", other_sends_9, "unknown", "holds 9"},

        {"sending 1", sending_1, "nothing", nothing_happens, "unknown sending"},
        {"sending 1", sending_1, "silence", silence, "unknown sending doubt"},
        {"sending 1", sending_1, "accepted", accepted, "holds 1"},
        {"sending 1", sending_1, "refused", refused, "unknown"},
        {"sending 1", sending_1, "unanswered", unanswered_and_may_land, "unknown doubt settles+60"},
        {"sending 1", sending_1, "unanswered, but over", unanswered_but_over, "unknown doubt"},
        {"sending 1", sending_1, "cut", cut_off, "unknown doubt settles+60"},
        {"sending 1", sending_1, "another released", other_released, "unknown sending"},

        {"sending 2 over 1", sending_2_over_1, "silence", silence, "unknown sending doubt"},
        {"sending 2 over 1", sending_2_over_1, "accepted", accepted, "holds 2"},
        {"sending 2 over 1", sending_2_over_1, "refused", refused, "holds 1"},
        {"sending 2 over 1", sending_2_over_1, "silence, then refused", silence_then_refused,
         "holds 1"},
        {"sending 2 over 1", sending_2_over_1, "unanswered", unanswered_and_may_land,
         "unknown doubt settles+60"},
        {"sending 2 over 1", sending_2_over_1, "unanswered, but over", unanswered_but_over,
         "unknown doubt"},
        {"sending 2 over 1", sending_2_over_1, "cut", cut_off, "unknown doubt settles+60"},
        {"sending 2 over 1", sending_2_over_1, "released", released, "unknown sending"},

        {"silent 2 over 1", silent_2_over_1, "nothing", nothing_happens, "unknown sending doubt"},
        {"silent 2 over 1", silent_2_over_1, "silence again", silence, "unknown sending doubt"},
        {"silent 2 over 1", silent_2_over_1, "accepted", accepted, "holds 2"},
        {"silent 2 over 1", silent_2_over_1, "refused", refused, "holds 1"},
        {"silent 2 over 1", silent_2_over_1, "unanswered", unanswered_and_may_land,
         "unknown doubt settles+60"},
        {"silent 2 over 1", silent_2_over_1, "unanswered, but over", unanswered_but_over,
         "unknown doubt"},
        {"silent 2 over 1", silent_2_over_1, "cut", cut_off, "unknown doubt settles+60"},

        {"released while sending", released_while_sending, "accepted", accepted, "unknown"},
        {"released while sending", released_while_sending, "refused", refused, "unknown"},
        {"released while sending", released_while_sending, "unanswered", unanswered_and_may_land,
         "unknown doubt settles+60"},
        {"released while sending", released_while_sending, "cut", cut_off,
         "unknown doubt settles+60"},
        {"released while silent", released_while_silent, "accepted", accepted, "unknown"},
        {"released while silent", released_while_silent, "refused", refused, "unknown"},
        {"released while silent", released_while_silent, "unanswered", unanswered_and_may_land,
         "unknown doubt settles+60"},

        {"1 unanswered", unanswered_1, "nothing", nothing_happens, "unknown doubt settles+50"},
        {"1 unanswered", unanswered_1, "released", released, "unknown doubt settles+50"},
        {"1 unanswered", unanswered_1, "1 accepted", accepted_anew<'1'>,
         "holds 1 doubt settles+50"},
        {"1 unanswered", unanswered_1, "2 accepted", accepted_anew<'2'>,
         "unknown doubt settles+50 again+60"},
        {"1 unanswered", unanswered_1, "2 refused", refused_anew<'2'>, "unknown doubt settles+50"},
        {"1 unanswered", unanswered_1, "2 unanswered", lost_anew<'2'>, "unknown doubt settles+60"},
        {"1 unanswered", unanswered_1, "1 unanswered again", lost_anew<'1'>,
         "unknown doubt settles+60"},
        {"1 unanswered", unanswered_1, "another's accepted", other_sends_9,
         "unknown doubt settles+50", "unknown doubt settles+50 again+60"},

        {"confirming 2", confirming_2_after_1, "nothing", nothing_happens,
         "unknown doubt settles+50 again+50"},
        {"confirming 2", confirming_2_after_1, "released", released, "unknown doubt settles+50"},
        {"confirming 2", confirming_2_after_1, "another released", other_released,
         "unknown doubt settles+50 again+50"},
        {"confirming 2", confirming_2_after_1, "3 accepted", accepted_anew<'3'>,
         "unknown doubt settles+50 again+60"},
        {"confirming 2", confirming_2_after_1, "1 accepted", accepted_anew<'1'>,
         "holds 1 doubt settles+50"},
        {"confirming 2", confirming_2_after_1, "3 refused", refused_anew<'3'>,
         "unknown doubt settles+50 again+50"},
        {"confirming 2", confirming_2_after_1, "3 unanswered", lost_anew<'3'>,
         "unknown doubt settles+60"},
        {"confirming 2", confirming_2_after_1, "3 unanswered, but over", over_in_vain,
         "unknown doubt settles+50"},
        {"confirming 2", confirming_2_after_1, "another's accepted", other_sends_9,
         "unknown doubt settles+50", "unknown doubt settles+50 again+60"},

        {"suspected", suspected_for_60s, "nothing", nothing_happens, "unknown"},
        {"suspected", suspected_for_60s, "accepted", accepted_anew<'1'>, "unknown doubt again+60"},
        {"suspected", suspected_for_60s, "refused", refused_anew<'1'>, "unknown"},

        {"another's", other_holds_9, "nothing", nothing_happens, "unknown", "holds 9"},
        {"another's", other_holds_9, "1 accepted", accepted_anew<'1'>, "holds 1"},
        {"another's", other_holds_9, "1 refused", refused_anew<'1'>, "unknown", "holds 9"},
        {"another's", other_holds_9, "1 unanswered", lost_anew<'1'>, "unknown doubt settles+60",
         "unknown settles+60"},
        {"another's, unanswered", other_unanswered_9, "nothing", nothing_happens,
         "unknown settles+50", "unknown doubt settles+50"},
        {"another's, unanswered", other_unanswered_9, "1 accepted", accepted_anew<'1'>,
         "unknown doubt settles+50 again+60", "unknown doubt settles+50"},
    };
    for (const Row& row : rows) {
        CAPTURE(row.given);
        CAPTURE(row.event_name);
        FieldState field;
        row.make(field, test::start);
        const auto now = test::start + 10s;
        row.event(field, now);
        CHECK(look_at(field, "a", now) == row.expected);
        std::string other = look_at(field, "b", now);
        if (const auto settles = other.find(" settles");
            settles != std::string::npos && row.of_other == "unknown")
            other.resize(settles); // the same for all
        CHECK(other == row.of_other);
    }
}

TEST_CASE("what an object has to send") {
    struct Row {
        std::string given;
        FieldStep make;
        rt::Duration after;
        const char* lacking;   // of the values 1, 2 and 3
        const char* contested; // what may be overwritten, of them
    };

    const Row rows[] = {
        {"void", nothing_known, 0s, "123", ""},
        {"holding 1", holding_1, 0s, "23", ""},
        {"holding 1 for long", holding_1, 24h, "23", ""},
        {"silent 2 over 1: unknown differs from every value", silent_2_over_1, 1s, "123", ""},
        {"1 unanswered", unanswered_1, 59s, "123", "23"},
        {"1 unanswered, and over", unanswered_1, 60s, "123", ""},
        {"confirming 2", confirming_2_after_1, 59s, "13", "23"},
        {"confirming 2, due", confirming_2_after_1, 60s, "123", ""},
        {"suspected", suspected_for_60s, 59s, "123", "123"},
        {"suspected no more", suspected_for_60s, 60s, "123", ""},
        {"another's", other_holds_9, 0s, "123", ""},
        {"another's, unanswered", other_unanswered_9, 59s, "123", "123"},
        {"a status that names no value", doubt_in_status, 59s, "123", "123"},
    };
    for (const Row& row : rows) {
        CAPTURE(row.given);
        FieldState field;
        row.make(field, test::start);
        std::string lacking;
        std::string contested;
        for (const char* digest : {"1", "2", "3"}) {
            if (field.lacks("a", digest, test::start + row.after))
                lacking += digest;
            if (field.may_be_overwritten(digest, test::start + row.after))
                contested += digest;
        }
        CHECK(lacking == row.lacking);
        CHECK(contested == row.contested);
    }
}

TEST_CASE("a value that follows an unanswered one is sent at once, and again a minute later") {
    FieldState field;
    lose_answer(field, "a", "1", test::start);
    accept_value(field, "a", "2", test::start + 1s);
    CHECK_FALSE(field.lacks("a", "2", test::start + 60s));
    CHECK(field.lacks("a", "2", test::start + 61s));
    accept_value(field, "a", "2", test::start + 61s);
    CHECK(look_at(field, "a", test::start + 61s) == "holds 2");
}

TEST_CASE("a confirmation that is lost itself is sent again, and no other value is feared then") {
    FieldState field;
    confirming_2_after_1(field, test::start);
    lose_answer(field, "a", "2", test::start + 60s);
    CHECK(field.lacks("a", "2", test::start + 60s));
    accept_value(field, "a", "2", test::start + 70s);
    CHECK(look_at(field, "a", test::start + 70s) == "holds 2 doubt settles+50");
}

TEST_CASE("a released object's late value is feared by the one that follows") {
    FieldState field;
    field.begin_sending("a", "1");
    field.release("a");
    field.unanswered(LandsLate::maybe, test::start);
    accept_value(field, "b", "9", test::start + 1s);
    CHECK(field.applied_by("b") == nullptr);
    CHECK(field.lacks("b", "9", test::start + 61s));
    accept_value(field, "b", "9", test::start + 61s);
    CHECK(field.applied_by("b") != nullptr);
}

TEST_CASE("what one object has released while another's value was on its way is not brought back") {
    FieldState field;
    other_holds_9(field, test::start);
    field.begin_sending("a", "1");
    field.note_silence();
    field.release("b");
    field.rejected();
    CHECK(field.applied_by("b") == nullptr);
    CHECK(field.applied_by("a") == nullptr);
}

TEST_CASE("however many statuses contradict each other, none is believed") {
    for (const std::size_t statuses : {2U, 3U, 4U, 5U}) {
        CAPTURE(statuses);
        FieldState field;
        for (std::size_t i = 0; i < statuses; ++i)
            field.restore({.uid = std::to_string(i),
                           .digest = "d" + std::to_string(i),
                           .entry = role_entry("x")});
        for (std::size_t i = 0; i < statuses; ++i)
            CHECK(field.applied_by(std::to_string(i)) == nullptr);
    }
}

TEST_CASE("a status that is read twice does not contradict itself") {
    FieldState field;
    field.restore({.uid = "a", .digest = "1", .entry = role_entry("1")});
    field.restore({.uid = "a", .digest = "2", .entry = role_entry("2")});
    CHECK(look_at(field, "a", test::start) == "holds 2");
}

TEST_CASE("only what a later reader would not miss may be forgotten") {
    struct Row {
        std::string given;
        FieldStep make;
        bool forgettable;
        bool a_minute_later;
        bool settled = forgettable; // nothing may arrive
    };

    const Row rows[] = {
        {"void", nothing_known, true, true},
        {"holding 1", holding_1, false, false, true},
        {"sending 1", sending_1, false, false},
        {"1 unanswered", unanswered_1, false, true},
        {"confirming 2", confirming_2_after_1, false, false},
        {"doubt in the status", doubt_in_status, false, true},
        // Whoever turns to this connection within the minute has to fear the same value.
        {"suspected", suspected_for_60s, false, true},
    };
    for (const Row& row : rows) {
        CAPTURE(row.given);
        FieldState field;
        row.make(field, test::start);
        CHECK(field.forgettable(test::start) == row.forgettable);
        CHECK(field.settled(test::start) == row.settled);
        CHECK(field.forgettable(test::start + 60s) == row.a_minute_later);
    }
}

namespace {

// Omni, which knows the truth: what it holds, and what will be carried out late.
struct TrueField {
    struct Late {
        std::string value;
        rt::TimePoint lands{};
    };

    std::string holds = "something";
    std::vector<Late> late;

    void go_on(rt::TimePoint now) {
        std::ranges::sort(late, {}, &Late::lands);
        for (const Late& one : late)
            if (one.lands <= now)
                holds = one.value;
        std::erase_if(late, [&](const Late& one) { return one.lands <= now; });
    }
};

// A story of two objects that send to one field, one after the other.
class FieldStory {
  public:
    explicit FieldStory(std::uint64_t seed) : dice_(seed) {
        if (chance(4)) { // a process before this one sent something and said so, or did not
            omni_.late.push_back({.value = "before", .lands = now_ + below(60s)});
            if (chance(2))
                field_.suspect_until(now_ + 60s);
            else
                field_.doubt_until(pick_object(), now_ + 60s);
        }
    }

    void run() {
        for (int step = 0; step < 60; ++step) {
            happen();
            check();
        }
        settle();
    }

    int claims = 0; // how often something counted as applied

  private:
    std::uint64_t roll(std::uint64_t sides) { return dice_() % sides; }

    bool chance(std::uint64_t one_in) { return roll(one_in) == 0; }

    rt::Duration below(rt::Duration span) {
        return rt::Duration(
            static_cast<rt::Duration::rep>(roll(static_cast<std::uint64_t>(span.count()))));
    }

    std::string pick_object() { return chance(2) ? "a" : "b"; }

    void pass(rt::Duration span) {
        now_ += span;
        omni_.go_on(now_);
    }

    void happen() {
        switch (roll(sending_ ? 6 : 4)) {
        case 0:
            return pass(below(chance(3) ? 90s : 5s));
        case 1:
            return release(pick_object());
        case 2:
            if (sending_)
                return;
            sending_ = true;
            sent_uid_ = pick_object();
            sent_value_ = sent_uid_ + std::to_string(roll(3));
            released_.erase(sent_uid_);
            silent_ = false;
            return field_.begin_sending(sent_uid_, sent_value_);
        case 3:
            if (sending_)
                return be_silent();
            return pass(below(1s));
        default:
            return end_sending();
        }
    }

    void release(const std::string& uid) {
        field_.release(uid);
        released_.insert(uid);
    }

    void be_silent() {
        silent_ = true;
        field_.note_silence();
    }

    void end_sending() {
        sending_ = false;
        switch (roll(5)) {
        case 0:
            omni_.holds = sent_value_;
            return field_.accepted(role_entry(sent_value_), now_);
        case 1:
            return field_.rejected();
        case 2: // 500: carried out, or not, by now
            if (chance(2))
                omni_.holds = sent_value_;
            return field_.unanswered(LandsLate::no, now_);
        case 3:
            maybe_late();
            return field_.cut(now_);
        default:
            maybe_late();
            return field_.unanswered(LandsLate::maybe, now_);
        }
    }

    void maybe_late() {
        if (!chance(3))
            omni_.late.push_back({.value = sent_value_, .lands = now_ + below(60s)});
        omni_.go_on(now_);
    }

    void check() {
        for (const std::string uid : {"a", "b"}) {
            const auto* value = field_.applied_by(uid);
            CHECK_FALSE((value != nullptr && released_.contains(uid)));
            const bool confirming = field_.confirm_at(uid).has_value();
            for (int i = 0; i < 3; ++i) {
                const std::string digest = uid + std::to_string(i);
                const bool holds = value != nullptr && value->digest == digest;
                if (!field_.lacks(uid, digest, now_))
                    CHECK((holds || confirming));
                else
                    CHECK_FALSE(holds);
            }
            CHECK_FALSE((value != nullptr && confirming));
            // Of a request that was just sent nothing is known before its answer is late.
            if (value == nullptr || (sending_ && !silent_))
                continue;
            ++claims;
            CHECK_FALSE(sending_);
            CHECK(value->digest == omni_.holds);
            for (const auto& late : omni_.late)
                CHECK(late.value == value->digest);
        }
        for (const auto& late : omni_.late)
            if (late.value != "before")
                CHECK(field_.doubt_ends_at(now_).value_or(now_) >= late.lands);
    }

    // Once all goes well, one object that sends what the field lacks comes to hold it.
    void settle() {
        if (sending_)
            end_sending();
        released_.clear();
        int sends = 0;
        for (const rt::TimePoint end = now_ + 125s; now_ < end; pass(1s)) {
            check();
            if (!field_.lacks("a", "a0", now_))
                continue;
            ++sends;
            omni_.holds = "a0";
            accept_value(field_, "a", "a0", now_);
        }
        CHECK(field_.applied_by("a") != nullptr);
        CHECK(omni_.holds == "a0");
        CHECK(sends <= 2);
        CHECK_FALSE(field_.in_doubt("a", now_));
        CHECK_FALSE(field_.in_doubt("b", now_));
    }

    std::mt19937_64 dice_;
    FieldState field_;
    TrueField omni_;
    rt::TimePoint now_ = test::start;
    bool sending_ = false;
    bool silent_ = false;
    std::string sent_uid_;
    std::string sent_value_;
    std::set<std::string> released_; // and not sending since
};

} // namespace

TEST_CASE("what counts as applied is in Omni, and stays there, in random stories") {
    int claims = 0;
    for (std::uint64_t seed = 1; seed <= 2000; ++seed) {
        CAPTURE(seed);
        FieldStory story(seed);
        story.run();
        claims += story.claims;
    }
    CHECK(claims > 10'000); // the stories are about something
}
