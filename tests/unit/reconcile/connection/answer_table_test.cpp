// What each error of a PATCH means: every class, answered or not.
#include "reconcile/connection/answer_table.hpp"
#include "reconcile/status/outcome.hpp"

#include <doctest/doctest.h>

using namespace oco;
using namespace oco::reconcile;

namespace {

struct KindRow {
    ErrorClass kind;
    NextStep next;
    std::string_view reason;
    std::string_view result; // of what was answered, or never sent
};

constexpr KindRow kind_rows[] = {
    {ErrorClass::refused, NextStep::reject, "Rejected", "rejected"},
    {ErrorClass::invalid, NextStep::reject, "Rejected", "rejected"},
    {ErrorClass::unauthorized, NextStep::ask_key, "Unauthorized", "refused"},
    {ErrorClass::forbidden, NextStep::ask_key, "Forbidden", "refused"},
    {ErrorClass::not_found, NextStep::look_up, "ConnectionNotFound", "refused"},
    {ErrorClass::rate_limited, NextStep::wait_turn, "RateLimited", "rate_limited"},
    {ErrorClass::conflict, NextStep::retry, "OmniUnavailable", "unavailable"},
    {ErrorClass::expired, NextStep::retry, "OmniUnavailable", "unavailable"},
    {ErrorClass::unavailable, NextStep::retry, "OmniUnavailable", "unavailable"},
    {ErrorClass::tls, NextStep::retry, "TLSVerificationFailed", "unavailable"},
};

} // namespace

TEST_CASE("every class of error, sent or not, with every kind of answer") {
    struct Answer {
        int http_status;
        bool late; // may be carried out after it, if a byte of it left
    };

    // Nobody answered; a proxy gave up on a server that may be at work, or an answer that does not
    // say what was done; Omni answered.
    constexpr Answer answers[] = {
        {0, true},    {408, true},  {502, true},  {504, true},  {503, true},  {520, true},
        {524, true},  {200, true},  {202, true},  {302, false}, {400, false}, {401, false},
        {403, false}, {404, false}, {422, false}, {429, false}, {500, false}, {501, false}};
    for (const KindRow& row : kind_rows)
        for (const Answer& answer : answers)
            for (const Sent sent : {Sent::no, Sent::maybe}) {
                const bool may_have_left = sent == Sent::maybe;
                CAPTURE(row.reason);
                CAPTURE(answer.http_status);
                CAPTURE(may_have_left);
                const AnswerMeaning meaning = meaning_of({.kind = row.kind,
                                                          .message = {},
                                                          .http_status = answer.http_status,
                                                          .sent = sent});
                CHECK(meaning.next == row.next);
                CHECK(meaning.reason == row.reason);
                CHECK((meaning.late == LandsLate::maybe) == (may_have_left && answer.late));
                const bool unknown = may_have_left && answer.http_status == 0;
                CHECK(meaning.result == (unknown ? "unknown" : row.result));
            }
}

TEST_CASE("what heals by itself is tried again, and what you must change is not") {
    for (const KindRow& row : kind_rows) {
        CAPTURE(row.reason);
        const Readiness readiness = readiness_of(meaning_of({.kind = row.kind}).reason);
        const bool by_itself = row.next == NextStep::retry || row.next == NextStep::wait_turn;
        CHECK((readiness != Readiness::stalled) == by_itself);
        CHECK(readiness != Readiness::ready);
    }
}
