#include "kube/lease.hpp"

#include "base/log.hpp"
#include "rt/deadline.hpp"

#include <utility>

namespace oco::kube {
namespace {

std::int64_t whole_seconds(rt::Duration duration) {
    return std::chrono::duration_cast<std::chrono::seconds>(duration).count();
}

} // namespace

LeaderElector::LeaderElector(rt::Runtime& runtime, Client& client, LeaseOptions options)
    : runtime_(runtime), client_(client), options_(std::move(options)),
      view_(options_.identity, options_.duration) {}

bool LeaderElector::may_work_for(rt::Duration time) const {
    return renewed_at_ && runtime_.now() + time <= *renewed_at_ + options_.duration;
}

asio::awaitable<Takeover> LeaderElector::acquire() {
    std::string said;
    for (;;) {
        // Later than that the Lease would be of no use.
        auto taken = co_await rt::with_deadline(runtime_, options_.renew_deadline, try_acquire());
        if (taken && *taken)
            co_return **taken;
        std::string state = !taken                    ? taken.error().message
                            : view_.record().absent() ? "deleted; its holder may still be at work"
                                                      : "held by " + view_.record().holder;
        if (state != said) {
            log::info("waiting for the Lease",
                      {{"lease", options_.ns + "/" + options_.name}, {"state", state}});
            said = std::move(state);
        }
        // Spread out: replicas that started together do not ask together.
        co_await runtime_.sleep(rt::Duration(
            static_cast<rt::Duration::rep>(static_cast<double>(options_.retry_period.count()) *
                                           (1.0 + 0.2 * runtime_.random_unit()))));
    }
}

asio::awaitable<Result<std::optional<Takeover>>> LeaderElector::try_acquire() {
    const auto started = runtime_.now();
    auto current = co_await read();
    if (!current)
        co_return current.error();
    view_.observe(std::move(*current), runtime_.now());
    const auto how = view_.may_take(started);
    if (!how)
        co_return std::optional<Takeover>();
    auto written = co_await write(view_.claim(*how, format_rfc3339_micro(runtime_.wall_now())));
    if (!written) {
        if (written.error().kind == ErrorClass::conflict)
            co_return std::optional<Takeover>(); // another was faster
        co_return written.error();
    }
    renewed_at_ = started;
    co_return how;
}

asio::awaitable<void> LeaderElector::hold() {
    while (renewed_at_) {
        co_await runtime_.sleep(options_.retry_period);
        if (!renewed_at_)
            co_return; // released
        const auto left = *renewed_at_ + options_.renew_deadline - runtime_.now();
        const auto started = runtime_.now();
        // A connection that swallows one renewal leaves time for another, over a new one.
        const auto limit = std::min(left, options_.renew_deadline / 2);
        auto renewed = left > rt::Duration::zero()
                           ? co_await rt::with_deadline(
                                 runtime_, limit, rewrite(options_.identity, options_.duration))
                           : Result<void>(make_error(ErrorClass::unavailable,
                                                     "no renewal within the deadline"));
        if (renewed) {
            renewed_at_ = started;
            continue;
        }
        log::warn("the Lease was not renewed", {{"error", renewed.error().message}});
        const bool taken = renewed.error().kind == ErrorClass::invalid;
        if (taken || runtime_.now() - *renewed_at_ >= options_.renew_deadline)
            renewed_at_.reset();
    }
}

asio::awaitable<Result<void>> LeaderElector::rewrite(std::string holder, rt::Duration duration) {
    LeaseRecord wanted = view_.record();
    wanted.holder = holder;
    wanted.duration = duration;
    auto written = co_await write(wanted);
    if (written || (written.error().kind != ErrorClass::conflict &&
                    written.error().kind != ErrorClass::not_found))
        co_return written;
    // Somebody wrote it: us, in an attempt whose answer was lost, or a new holder. Or it was
    // deleted; then it is made again, unless another is faster.
    auto current = co_await read();
    if (!current)
        co_return current.error();
    if (!current->absent() && current->holder != options_.identity)
        co_return make_error(ErrorClass::invalid, current->holder.empty()
                                                      ? "the Lease was released by somebody else"
                                                      : "the Lease is held by " + current->holder);
    wanted.resource_version = current->resource_version;
    co_return co_await write(wanted);
}

asio::awaitable<Result<void>> LeaderElector::release() {
    if (!std::exchange(renewed_at_, std::nullopt))
        co_return make_error(ErrorClass::invalid, "the Lease is not held");
    co_return co_await rewrite("", std::chrono::seconds(1));
}

asio::awaitable<Result<LeaseRecord>> LeaderElector::read() {
    auto document = co_await client_.get(resources::leases.object(options_.ns, options_.name));
    if (!document) {
        if (document.error().kind == ErrorClass::not_found)
            co_return LeaseRecord();
        co_return document.error();
    }
    LeaseRecord record;
    record.resource_version = json::string_at(*document, {"metadata", "resourceVersion"});
    if (const json::Value* spec = json::find(*document, "spec")) {
        record.holder = json::string_at(*spec, "holderIdentity");
        record.transitions = json::int_at(*spec, "leaseTransitions").value_or(0);
        record.acquire_time = json::string_at(*spec, "acquireTime");
        record.duration =
            std::chrono::seconds(json::int_at(*spec, "leaseDurationSeconds").value_or(0));
    }
    co_return record;
}

asio::awaitable<Result<void>> LeaderElector::write(LeaseRecord wanted) {
    const std::string body = manifest(wanted);
    auto answer =
        wanted.absent()
            ? co_await client_.create(resources::leases.collection(options_.ns), body)
            : co_await client_.replace(resources::leases.object(options_.ns, options_.name), body);
    if (!answer)
        co_return answer.error();
    wanted.resource_version = json::string_at(*answer, {"metadata", "resourceVersion"});
    view_.observe(std::move(wanted), runtime_.now());
    co_return Result<void>();
}

std::string LeaderElector::manifest(const LeaseRecord& record) const {
    json::Writer body;
    body.begin_object()
        .member("apiVersion", "coordination.k8s.io/v1")
        .member("kind", "Lease")
        .field("metadata")
        .begin_object()
        .member("name", options_.name)
        .member("namespace", options_.ns);
    if (!record.absent())
        body.member("resourceVersion", record.resource_version);
    body.end_object()
        .field("spec")
        .begin_object()
        .member("holderIdentity", record.holder)
        .member("leaseDurationSeconds", whole_seconds(record.duration))
        .member("acquireTime", record.acquire_time)
        .member("renewTime", format_rfc3339_micro(runtime_.wall_now()))
        .member("leaseTransitions", record.transitions)
        .end_object()
        .end_object();
    return body.str();
}

} // namespace oco::kube
