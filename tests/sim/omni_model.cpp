#include "omni_model.hpp"

#include "wire.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <utility>

namespace oco::sim {
namespace {

// A client gives up after ten seconds.
constexpr rt::Duration patience = std::chrono::seconds(12);
constexpr rt::Duration latest = std::chrono::seconds(55);
constexpr std::string_view list_path = "/api/v1/connections";

} // namespace

std::string OmniModel::Arrival::token() const {
    constexpr std::string_view scheme = "Bearer ";
    const std::string given = request.authorization.value_or("");
    return given.starts_with(scheme) ? given.substr(scheme.size()) : std::string();
}

bool OmniModel::Arrival::lists() const {
    return request.method == "GET" && (request.target == list_path ||
                                       request.target.starts_with(std::string(list_path) + "?"));
}

std::string OmniModel::Arrival::reads() const {
    return request.method == "GET"
               ? emulator::connection_id_of(emulator::parse_target(request.target).path)
               : std::string();
}

OmniModel::OmniModel(test::SimRuntime& time, std::uint64_t seed, std::string host,
                     emulator::Seed content)
    : time_(time), dice_(seed, host), host_(std::move(host)), model_(std::move(content)) {}

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
    if (request.method == "PATCH") {
        if (std::exchange(trouble.next_patch_lost, false))
            return conclude(arrival, Fate::unknown);
        if (const auto delay = std::exchange(trouble.next_patch_lands_after, std::nullopt))
            return apply_late(arrival, *delay);
    }
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
        return apply_late(arrival, dice_.duration(patience, latest));
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
    if (auto refusal = refuse_reading(*arrival))
        return std::move(*refusal);
    auto outcome = model_.handle(arrival->request);
    arrival->applied = outcome.applied;
    if (outcome.applied && on_stored)
        on_stored(arrival);
    note_shown(*arrival, outcome.answer);
    return std::move(outcome.answer);
}

std::optional<emulator::Answer> OmniModel::refuse_reading(const Arrival& arrival) const {
    const auto rights = reading.find(arrival.token());
    if (rights == reading.end() || !model_.find_token(arrival.request.authorization))
        return std::nullopt;
    const std::string id = arrival.reads();
    if ((arrival.lists() && !rights->second.list) || (!id.empty() && !rights->second.get))
        return emulator::error_answer(403, "You may not read connections");
    if (!id.empty() && !rights->second.shows(id))
        return emulator::error_answer(404, "Connection not found");
    return std::nullopt;
}

// Of a list only what the key may see stays in the answer.
void OmniModel::note_shown(Arrival& arrival, emulator::Answer& answer) const {
    const std::string id = arrival.reads();
    if (answer.status != 200 || (id.empty() && !arrival.lists()))
        return;
    if (!id.empty()) {
        const bool there = !model_.connections().at(id).is_deleted();
        arrival.shown = std::make_shared<const std::set<std::string>>(
            there ? std::set<std::string>{id} : std::set<std::string>());
        return;
    }
    const auto rights = reading.find(arrival.token());
    const bool all = rights == reading.end() || !rights->second.sees;
    std::set<std::string> ids;
    for (const auto& [key, connection] : model_.connections())
        if (!connection.is_deleted() && (all || rights->second.shows(key)))
            ids.insert(key);
    arrival.shown = std::make_shared<const std::set<std::string>>(ids);
    if (all)
        return;
    auto body = boost::json::parse(answer.body);
    auto& list = body.as_object().at("connections").as_array();
    list.erase(std::remove_if(list.begin(), list.end(),
                              [&](const auto& one) {
                                  return !ids.contains(one.at("id").as_string().c_str());
                              }),
               list.end());
    answer.body = boost::json::serialize(body);
}

emulator::Answer OmniModel::forced_error() {
    constexpr unsigned codes[] = {500, 502, 503, 504, 408};
    return emulator::error_answer(codes[dice_.index(5)], "Something went wrong");
}

// Whether its sender waits for it, has given up or has died: it is on its way through Omni.
void OmniModel::apply_late(const ArrivalPointer& arrival, rt::Duration delay) {
    conclude(arrival, Fate::unknown);
    arrival->late = true;
    time_.after(delay, [this, arrival] { carry_out(arrival); });
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
            return arrival->channel->finish();
        arrival->channel->when_taken([this, arrival] { conclude(arrival, Fate::delivered); });
        time_.at(arrival->time + patience, [this, arrival] { settle(arrival); });
    };
    const auto most =
        trouble.slowness + (arrival->lists() ? trouble.list_slowness : rt::Duration());
    const auto taken = std::exchange(trouble.next_answer_takes, rt::Duration::zero()) +
                       dice_.duration(rt::Duration::zero(), most);
    if (taken == rt::Duration::zero())
        send();
    else
        time_.after(taken, send);
}

} // namespace oco::sim
