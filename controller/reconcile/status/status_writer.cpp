#include "reconcile/status/status_writer.hpp"

#include "base/log.hpp"
#include "base/mutation.hpp"
#include "rt/backoff.hpp"

namespace oco::reconcile {
namespace {

constexpr rt::BackoffPolicy write_backoff{.first = std::chrono::seconds(2),
                                          .longest = std::chrono::seconds(30)};

// The API server's own limit, or etcd's.
bool is_too_large(const Error& error) {
    return error.http_status == 413 ||
           error.message.find("request is too large") != std::string::npos;
}

} // namespace

Announced announced_in(const std::vector<kube::Condition>& conditions) {
    const auto* ready = kube::find_condition(conditions, "Ready");
    return ready == nullptr ? Announced()
                            : Announced{.reason = ready->reason, .message = ready->message};
}

asio::awaitable<Written> StatusWriter::patch(kube::ObjectMeta meta, StatusSchedule& schedule,
                                             StatusFingerprints fingerprints, std::string body) {
    auto done = co_await patch_within(meta, schedule, std::move(fingerprints), std::move(body),
                                      kube::request_deadline);
    if (mutated("failed-status-forgotten"))
        schedule.written(services_.runtime.now());
    if (done || mutated("failed-status-forgotten"))
        co_return Written::now;
    const auto retry_at = services_.runtime.now() +
                          rt::backoff(services_.runtime, write_backoff, schedule.failures() + 1);
    schedule.failed(retry_at);
    requeue_at_(meta.key, retry_at);
    // Deleted, or created again: the watch will deliver that, and the queued key handles it.
    if (done.error().kind != ErrorClass::not_found && done.error().kind != ErrorClass::conflict)
        log::warn("status not written",
                  {{"kind", kind_}, {"object", meta.key.str()}, {"error", done.error().message}});
    co_return is_too_large(done.error()) ? Written::too_large : Written::later;
}

asio::awaitable<Result<void>> StatusWriter::patch_within(kube::ObjectMeta meta,
                                                         StatusSchedule& schedule,
                                                         StatusFingerprints fingerprints,
                                                         std::string body, rt::Duration limit) {
    schedule.begin(std::move(fingerprints)); // its echo may come before its answer
    auto done =
        co_await services_.statuses.patch(resource_, std::move(meta), std::move(body), limit);
    if (!done)
        co_return done.error();
    schedule.written(services_.runtime.now());
    co_return Result<void>();
}

void StatusWriter::announce(const kube::ObjectMeta& meta, Announced& before, const Outcome& now) {
    const Announced last =
        std::exchange(before, Announced{.reason = now.reason, .message = now.message});
    if (last.reason == now.reason && last.message == now.message)
        return;
    if (now.reason == reason::dry_run) // reported where it arises, once for each set of values
        return;
    const bool calm = now.readiness == Readiness::ready || now.readiness == Readiness::progressing;
    log::write(calm ? log::Level::info : log::Level::warn, kind_,
               {{"object", meta.key.str()}, {"reason", now.reason}, {"message", now.message}});
    if (last.reason == now.reason ||
        services_.statuses.authority() == StatusSink::Authority::theirs)
        return;
    record(meta, calm ? kube::EventType::normal : kube::EventType::warning, now.reason, "Reconcile",
           now.message);
}

void StatusWriter::report_contest(const kube::ObjectMeta& meta, int contests,
                                  const std::string& digest_key_id) {
    services_.statuses.note_contest(services_.runtime.now());
    if (contests > insisted)
        return;
    const bool install = !digest_key_id.empty() && digest_key_id != services_.digest_key.id;
    const std::string note =
        std::string(install ? "another operator, with another digest key,"
                            : "somebody else, such as a second operator,") +
        " keeps writing this status, which is written again with growing pauses: uninstall one of "
        "the two, or give them different namespaces (--namespace)";
    log::warn("status contested", {{"kind", kind_}, {"object", meta.key.str()}, {"note", note}});
    record(meta, kube::EventType::warning, "StatusContested", "Reconcile", note);
}

void StatusWriter::record(const kube::ObjectMeta& meta, kube::EventType type,
                          std::string_view reason, std::string_view action, std::string note) {
    services_.events.record(
        {.regarding = {.api_version = "omniconnection.io/v1alpha1", .kind = kind_, .meta = meta},
         .type = type,
         .reason = std::string(reason),
         .action = std::string(action),
         .note = std::move(note)});
}

} // namespace oco::reconcile
