#include "reconcile/connection/answer_table.hpp"

#include "reconcile/status/outcome.hpp"

#include <algorithm>
#include <array>

namespace oco::reconcile {
namespace {

struct Row {
    ErrorClass kind;
    NextStep next;
    std::string_view reason;
    std::string_view result;
};

constexpr std::array rows{
    Row{ErrorClass::refused, NextStep::reject, reason::rejected, "rejected"},
    Row{ErrorClass::invalid, NextStep::reject, reason::rejected, "rejected"},
    Row{ErrorClass::unauthorized, NextStep::ask_key, reason::unauthorized, "refused"},
    Row{ErrorClass::forbidden, NextStep::ask_key, reason::forbidden, "refused"},
    Row{ErrorClass::not_found, NextStep::look_up, reason::connection_not_found, "refused"},
    Row{ErrorClass::rate_limited, NextStep::wait_turn, reason::rate_limited, "rate_limited"},
    Row{ErrorClass::tls, NextStep::retry, reason::tls_verification_failed, "unavailable"},
    Row{ErrorClass::conflict, NextStep::retry, reason::omni_unavailable, "unavailable"},
    Row{ErrorClass::expired, NextStep::retry, reason::omni_unavailable, "unavailable"},
    Row{ErrorClass::unavailable, NextStep::retry, reason::omni_unavailable, "unavailable"},
    Row{ErrorClass::too_large, NextStep::retry, reason::omni_unavailable, "unavailable"},
};
static_assert(rows.size() == error_classes, "each class has its row");

// No answer, or one of a proxy that gave up on a server which may still be at work: 408, 502, 504,
// Envoy's 503, Cloudflare's 520 to 530; or a 2xx such as 202 that promises it. Only 500 and 501 are
// sure to be that server's own, and its last word.
bool may_land_late(const Error& error) {
    const int status = error.http_status;
    return status == 0 || (status >= 200 && status < 300) || status == 408 || status > 501;
}

} // namespace

AnswerMeaning meaning_of(const Error& error) {
    const auto* row = std::ranges::find(rows, error.kind, &Row::kind);
    AnswerMeaning meaning{.next = row->next, .reason = row->reason, .result = row->result};
    if (error.sent == Sent::no)
        return meaning;
    meaning.late = may_land_late(error) ? LandsLate::maybe : LandsLate::no;
    if (error.http_status == 0)
        meaning.result = "unknown";
    return meaning;
}

} // namespace oco::reconcile
