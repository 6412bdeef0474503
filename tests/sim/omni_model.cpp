#include "omni_model.hpp"

#include "wire.hpp"

#include <utility>

namespace oco::sim {
namespace {

// A client gives up after ten seconds.
constexpr rt::Duration patience = std::chrono::seconds(12);
constexpr rt::Duration latest = std::chrono::seconds(55);
constexpr rt::Duration delivery_check = std::chrono::milliseconds(5);

} // namespace

OmniModel::OmniModel(test::SimRuntime& time, std::uint64_t seed, emulator::Seed content)
    : time_(time), dice_(seed, "omni"), model_(std::move(content)) {}

void OmniModel::request(HttpRequest request, ChannelPointer channel) {
    const auto arrival = std::make_shared<Arrival>();
    arrival->time = time_.now();
    arrival->client = channel->client();
    arrival->channel = channel;
    arrival->request = {.method = request.method,
                        .target = request.target,
                        .authorization = request.header("authorization"),
                        .content_type = request.header("content-type"),
                        .body = std::move(request.body)};
    if (on_arrival)
        on_arrival(arrival);
    if (dice_.chance(trouble.too_many)) {
        auto refusal = emulator::error_answer(429, "Too Many Requests");
        if (dice_.chance(0.5))
            refusal.headers.emplace_back("Retry-After", std::to_string(dice_.number(1, 20)));
        return answer(arrival, refusal);
    }
    if (dice_.chance(trouble.error_before))
        return answer(arrival, forced_error());
    if (request.method == "PATCH" && dice_.chance(trouble.forbidden))
        return answer(arrival, emulator::error_answer(403, "Forbidden"));
    if (dice_.chance(trouble.dropped)) {
        channel->reset();
        return conclude(arrival, Fate::unknown);
    }
    if (dice_.chance(trouble.never))
        return conclude(arrival, Fate::unknown);
    if (dice_.chance(trouble.late))
        return apply_late(arrival);
    const auto whole = carry_out(arrival);
    if (dice_.chance(trouble.error_after))
        return answer(arrival, forced_error());
    if (dice_.chance(trouble.reply_lost)) {
        channel->reset();
        return conclude(arrival, Fate::unknown);
    }
    if (dice_.chance(trouble.reply_never))
        return conclude(arrival, Fate::unknown);
    answer(arrival, whole);
}

emulator::Answer OmniModel::carry_out(const ArrivalPointer& arrival) {
    auto outcome = model_.handle(arrival->request);
    arrival->applied = outcome.applied;
    return std::move(outcome.answer);
}

emulator::Answer OmniModel::forced_error() {
    constexpr unsigned codes[] = {500, 502, 503, 504, 408};
    return emulator::error_answer(codes[dice_.index(5)], "Something went wrong");
}

void OmniModel::apply_late(const ArrivalPointer& arrival) {
    conclude(arrival, Fate::unknown);
    // A sender that dies, too, has given up: its request is not held back for long then, since the
    // next sender starts as soon as the Lease has run out.
    const rt::TimePoint due =
        time_.now() + patience + dice_.duration(rt::Duration::zero(), latest - patience);
    const rt::TimePoint sender_waits_until = arrival->time + patience / 2;
    const auto step = [this, arrival, due, sender_waits_until](auto self) -> void {
        const bool waiting = time_.now() < sender_waits_until;
        if (time_.now() < due && !(waiting && arrival->channel->abandoned())) {
            time_.at(waiting ? time_.now() + std::chrono::seconds(1) : due, [self] { self(self); });
            return;
        }
        carry_out(arrival);
    };
    step(step);
}

void OmniModel::conclude(const ArrivalPointer& arrival, Fate fate) const {
    if (arrival->fate != Fate::pending)
        return;
    arrival->fate = fate;
    if (on_settled)
        on_settled(arrival);
}

void OmniModel::settle(const ArrivalPointer& arrival) const {
    conclude(arrival, arrival->status != 0 && arrival->sent && arrival->channel->delivered()
                          ? Fate::delivered
                          : Fate::unknown);
}

void OmniModel::answer(const ArrivalPointer& arrival, const emulator::Answer& answer) {
    arrival->status = static_cast<int>(answer.status);
    std::string text =
        emulator::serialize(answer, arrival->request.method, emulator::AfterAnswer::keep_alive)
            .text;
    const bool half = dice_.chance(trouble.reply_half);
    if (half) {
        text.resize(dice_.index(text.size()));
        conclude(arrival, Fate::unknown);
    }
    const auto send = [this, arrival, text = std::move(text), half] {
        arrival->sent = true;
        arrival->channel->send(text);
        if (half)
            arrival->channel->finish();
        else
            await_delivery(arrival);
    };
    const auto taken = std::exchange(trouble.next_answer_takes, rt::Duration::zero()) +
                       dice_.duration(rt::Duration::zero(), trouble.slowness);
    if (taken == rt::Duration::zero())
        send();
    else
        time_.after(taken, send);
}

void OmniModel::await_delivery(const ArrivalPointer& arrival) {
    if (arrival->channel->delivered() || arrival->channel->abandoned() ||
        time_.now() >= arrival->time + patience)
        settle(arrival);
    else
        time_.after(delivery_check, [this, arrival] { await_delivery(arrival); });
}

} // namespace oco::sim
