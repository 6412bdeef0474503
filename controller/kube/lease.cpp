#include "kube/lease.hpp"

#include "base/log.hpp"
#include "kube/namespace.hpp"
#include "kube/watcher.hpp"
#include "rt/backoff.hpp"
#include "rt/deadline.hpp"

#include <utility>

namespace oco::kube {
namespace {

// No flag of ours asks for so much, though it may: the log then says what it means.
constexpr rt::Duration long_term = std::chrono::minutes(5);

std::int64_t whole_seconds(rt::Duration duration) {
    return std::chrono::duration_cast<std::chrono::seconds>(duration).count();
}

// Keeps the newest record of a watch until the elector looks at it.
class NewestRecord final : public WatchSink {
  public:
    NewestRecord(std::optional<LeaseRecord>& newest, rt::Event& news)
        : newest_(newest), news_(news) {}

    void list_begins() override {}

    void listed(const json::Value& object) override { changed(object); }

    // A list without the Lease is no news: silence has it read.
    void list_ends() override {}

    void changed(const json::Value& object) override { tell(decode_lease(object)); }

    void deleted(const json::Value& /*object*/) override { tell(LeaseRecord()); }

  private:
    void tell(LeaseRecord record) {
        newest_ = std::move(record);
        news_.notify();
    }

    std::optional<LeaseRecord>& newest_;
    rt::Event& news_;
};

} // namespace

LeaderElector::LeaderElector(rt::Runtime& runtime, Client& client, LeaseOptions options)
    : runtime_(runtime), client_(client), options_(std::move(options)),
      view_(options_.identity, options_.times.duration), news_(runtime) {}

bool LeaderElector::may_work_for(rt::Duration time) const {
    return renewed_at_ && runtime_.now() + time <= *renewed_at_ + options_.times.duration;
}

asio::awaitable<Takeover> LeaderElector::acquire() {
    reported_.clear();
    watched_.reset();
    // A replica that is alone never watches.
    if (const auto taken = co_await attempt(Look::read))
        co_return *taken;
    NewestRecord sink(watched_, news_);
    Watcher watcher(runtime_, client_,
                    {.resource = resources::leases,
                     .ns = options_.ns,
                     .field_selector = "metadata.name=" + options_.name},
                    sink, [] {});
    const auto executor = runtime_.executor();
    auto [order, failure, taken, watch_failure] =
        co_await asio::experimental::make_parallel_group(
            asio::co_spawn(executor, stand_by(), asio::deferred),
            asio::co_spawn(executor, watcher.run(), asio::deferred))
            .async_wait(asio::experimental::wait_for_one(), asio::use_awaitable);
    if (failure) // that of the watch, if it came first: it never ends by itself
        std::rethrow_exception(order[0] == 1 && watch_failure ? watch_failure : failure);
    co_return taken;
}

asio::awaitable<Takeover> LeaderElector::stand_by() {
    auto look_at = runtime_.now() + pause();
    for (;;) {
        co_await news_.wait_until(runtime_, look_at);
        const bool changed = take_in_watched();
        if (!changed && runtime_.now() < look_at)
            continue;
        if (changed && !view_.record().absent() && !view_.released()) {
            report_waiting();
            // The holder renews once in a period: silence for two means that it is gone, or that
            // the watch is dead.
            look_at = runtime_.now() + 2 * pause();
            continue;
        }
        if (const auto taken =
                co_await attempt(changed && view_.released() ? Look::as_watched : Look::read))
            co_return *taken;
        look_at = runtime_.now() + pause();
    }
}

bool LeaderElector::take_in_watched() {
    auto record = std::exchange(watched_, std::nullopt);
    if (!record || *record == view_.record())
        return false;
    view_.observe(std::move(*record), runtime_.now());
    return true;
}

// Spread out: replicas that started together do not ask together.
rt::Duration LeaderElector::pause() {
    return rt::jittered(runtime_, options_.times.retry_period, options_.times.retry_period * 6 / 5);
}

asio::awaitable<std::optional<Takeover>> LeaderElector::attempt(Look look) {
    // Later than that the Lease would be of no use.
    auto taken =
        co_await rt::with_deadline(runtime_, options_.times.renew_deadline, try_acquire(look));
    if (taken) {
        if (!*taken)
            report_waiting();
        co_return *taken;
    }
    if (std::exchange(reported_, taken.error().message) != taken.error().message) {
        const auto blamed = co_await blame_operator_namespace(client_, options_.ns, taken.error());
        log::warn("waiting for the Lease",
                  {{"lease", options_.ns + "/" + options_.name}, {"state", blamed.message}});
    }
    co_return std::nullopt;
}

void LeaderElector::report_waiting() {
    const LeaseRecord& record = view_.record();
    std::string state = record.absent()    ? "deleted; its holder may still be active"
                        : view_.released() ? "released"
                        : record.holder.empty()
                            ? "emptied by somebody; its holder may still be active"
                            : "held by " + record.holder;
    if (!record.holder.empty() && record.duration > long_term)
        state += ", for " + std::to_string(whole_seconds(record.duration)) +
                 " s from its last renewal: if that replica is gone, delete the Lease";
    if (state == reported_)
        return;
    log::info("waiting for the Lease",
              {{"lease", options_.ns + "/" + options_.name}, {"state", state}});
    reported_ = std::move(state);
}

asio::awaitable<Result<std::optional<Takeover>>> LeaderElector::try_acquire(Look look) {
    const auto started = runtime_.now();
    if (look == Look::read) {
        auto current = co_await read();
        if (!current)
            co_return current.error();
        view_.observe(std::move(*current), runtime_.now());
    }
    const auto how = view_.may_take(started);
    if (!how)
        co_return std::optional<Takeover>();
    const bool still_ours = view_.ours();
    auto written = co_await write(view_.claim(*how, format_rfc3339_micro(runtime_.wall_now())));
    if (!written) {
        if (written.error().kind == ErrorClass::conflict)
            co_return std::optional<Takeover>(); // another was faster
        co_return written.error();
    }
    renewed_at_ = started;
    resumed_ = std::exchange(led_, true) && still_ours;
    co_return how;
}

asio::awaitable<void> LeaderElector::hold() {
    while (renewed_at_) {
        co_await runtime_.sleep(options_.times.retry_period);
        if (!renewed_at_)
            co_return; // released
        const auto left = *renewed_at_ + options_.times.renew_deadline - runtime_.now();
        const auto started = runtime_.now();
        // A connection that swallows one renewal leaves time for another, over a new one.
        const auto limit = std::min(left, options_.times.renew_deadline / 2);
        auto renewed = left > rt::Duration::zero()
                           ? co_await rt::with_deadline(runtime_, limit, renew())
                           : Result<void>(make_error(ErrorClass::unavailable,
                                                     "no renewal within the deadline"));
        if (renewed) {
            renewed_at_ = started;
            continue;
        }
        log::warn("the Lease was not renewed", {{"error", renewed.error().message}});
        const bool taken = renewed.error().kind == ErrorClass::invalid;
        if (taken || runtime_.now() - *renewed_at_ >= options_.times.renew_deadline) {
            renewed_at_.reset();
            view_.stepped_down();
        }
    }
}

asio::awaitable<Result<void>> LeaderElector::renew() {
    LeaseRecord wanted = view_.record();
    wanted.holder = options_.identity;
    wanted.duration = options_.times.duration;
    co_return co_await rewrite(std::move(wanted));
}

asio::awaitable<Result<void>> LeaderElector::rewrite(LeaseRecord wanted) {
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

asio::awaitable<Result<void>> LeaderElector::release(std::string unsettled) {
    if (!std::exchange(renewed_at_, std::nullopt))
        co_return make_error(ErrorClass::invalid, "the Lease is not held");
    LeaseRecord wanted = view_.record();
    wanted.holder.clear();
    wanted.duration = released_duration;
    wanted.unsettled = std::move(unsettled);
    co_return co_await rewrite(std::move(wanted));
}

asio::awaitable<Result<LeaseRecord>> LeaderElector::read() {
    auto document = co_await client_.get(resources::leases.object(options_.ns, options_.name));
    if (!document) {
        if (document.error().kind == ErrorClass::not_found)
            co_return LeaseRecord();
        co_return document.error();
    }
    co_return decode_lease(*document);
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
    if (!record.unsettled.empty())
        body.field("annotations")
            .begin_object()
            .member(unsettled_annotation, record.unsettled)
            .end_object();
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
