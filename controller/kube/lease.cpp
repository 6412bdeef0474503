#include "kube/lease.hpp"

#include "base/log.hpp"
#include "rt/deadline.hpp"

namespace oco::kube {
namespace {

std::int64_t whole_seconds(rt::Duration duration) {
    return std::chrono::duration_cast<std::chrono::seconds>(duration).count();
}

} // namespace

LeaderElector::LeaderElector(rt::Runtime& runtime, Client& client, LeaseOptions options)
    : runtime_(runtime), client_(client), options_(std::move(options)) {}

bool LeaderElector::may_work_for(rt::Duration time) const {
    return renewed_at_ && runtime_.now() + time <= *renewed_at_ + options_.duration;
}

asio::awaitable<Takeover> LeaderElector::acquire() {
    std::string said;
    for (;;) {
        auto taken = co_await try_acquire();
        if (taken && *taken)
            co_return **taken;
        std::string state = taken ? "held by " + seen_.holder : taken.error().message;
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
    if (!seen_since_ || !(seen_ == *current)) {
        seen_ = *current;
        seen_since_ = started;
    }
    const bool absent = seen_.resource_version.empty();
    const bool released = !absent && seen_.holder.empty();
    const rt::Duration term = std::max(seen_.duration, options_.duration);
    const bool ran_out = started - *seen_since_ >= term;
    if (!absent && !released && !ran_out)
        co_return std::optional<Takeover>();
    Record wanted = seen_;
    wanted.holder = options_.identity;
    wanted.duration = options_.duration;
    wanted.acquire_time = format_rfc3339_micro(runtime_.wall_now());
    wanted.transitions += absent ? 0 : 1;
    auto written = co_await write(wanted);
    if (!written) {
        if (written.error().kind == ErrorClass::conflict)
            co_return std::optional<Takeover>(); // another was faster
        co_return written.error();
    }
    renewed_at_ = started;
    co_return std::optional(released ? Takeover::clean : Takeover::unclean);
}

asio::awaitable<void> LeaderElector::hold() {
    while (renewed_at_) {
        co_await runtime_.sleep(options_.retry_period);
        if (!renewed_at_)
            co_return; // released
        const auto left = *renewed_at_ + options_.renew_deadline - runtime_.now();
        const auto started = runtime_.now();
        auto renewed = left > rt::Duration::zero()
                           ? co_await rt::with_deadline(runtime_, left, renew())
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

asio::awaitable<Result<void>> LeaderElector::renew() {
    auto written = co_await write(seen_);
    if (written || written.error().kind != ErrorClass::conflict)
        co_return written;
    // Somebody wrote it: us, in an attempt whose answer was lost, or a new holder.
    auto current = co_await read();
    if (!current)
        co_return current.error();
    if (current->holder != options_.identity)
        co_return make_error(ErrorClass::invalid, "the Lease is held by " + current->holder);
    seen_ = *current;
    co_return co_await write(seen_);
}

asio::awaitable<void> LeaderElector::release() {
    if (!renewed_at_)
        co_return;
    renewed_at_.reset();
    Record wanted = seen_;
    wanted.holder.clear();
    wanted.duration = std::chrono::seconds(1);
    if (auto written = co_await write(wanted); !written)
        log::warn("the Lease was not released", {{"error", written.error().message}});
}

asio::awaitable<Result<LeaderElector::Record>> LeaderElector::read() {
    auto document = co_await client_.get(resources::leases.object(options_.ns, options_.name));
    if (!document) {
        if (document.error().kind == ErrorClass::not_found)
            co_return Record();
        co_return document.error();
    }
    Record record;
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

asio::awaitable<Result<void>> LeaderElector::write(Record wanted) {
    const std::string body = manifest(wanted);
    auto answer =
        wanted.resource_version.empty()
            ? co_await client_.create(resources::leases.collection(options_.ns), body)
            : co_await client_.replace(resources::leases.object(options_.ns, options_.name), body);
    if (!answer)
        co_return answer.error();
    wanted.resource_version = json::string_at(*answer, {"metadata", "resourceVersion"});
    seen_ = std::move(wanted);
    seen_since_ = runtime_.now();
    co_return Result<void>();
}

std::string LeaderElector::manifest(const Record& record) const {
    json::Writer body;
    body.begin_object()
        .member("apiVersion", "coordination.k8s.io/v1")
        .member("kind", "Lease")
        .field("metadata")
        .begin_object()
        .member("name", options_.name)
        .member("namespace", options_.ns);
    if (!record.resource_version.empty())
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
