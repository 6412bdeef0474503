#include "push_oracle.hpp"

#include <algorithm>

namespace oco::sim {
namespace {

// A client gives up after ten seconds, and fears for a minute more.
constexpr rt::Duration feared_for = std::chrono::seconds(75);
constexpr rt::Duration lease_term = std::chrono::seconds(15);
constexpr rt::Duration request_deadline = std::chrono::seconds(10);
// A watch that is dead is found out, and a relist tells of the deletion.
constexpr rt::Duration told_of_deletion = std::chrono::minutes(8);
// What was excused is done by then, if ever: a slow probe comes every ten minutes.
constexpr rt::Duration excused_for = std::chrono::minutes(15);
constexpr int most_excuses = 3;

// A proxy's answer for a server that may still be at work.
bool may_land_late(int status) {
    return status == 408 || status == 502 || status == 504;
}

} // namespace

void PushOracle::value_written(const Name& secret, const std::string& value) {
    history_[secret].push_back(value);
    secret_of_[value] = secret;
}

void PushOracle::excuse(int object) {
    Excuse& one = excuses_[object];
    one.count = std::min(one.count + 1, most_excuses);
    one.until = time_.now() + excused_for;
}

void PushOracle::taken_over() {
    for (auto& [target, connection] : connections_) {
        // What a crash left unrecorded is pushed once more, and has to settle.
        connection.take_over = lease_.clean() ? 0 : 2;
        if (time_.now() > connection.feared_until)
            continue;
        // It knows that something is unanswered, but not what: it sends, and lets that settle.
        connection.take_over += 2;
        connection.feared_until = time_.now() + feared_for;
    }
}

void PushOracle::arrived(const OmniModel::ArrivalPointer& arrival, OmniModel& omni,
                         rt::Duration delay) {
    if (arrival->request.method != "PATCH")
        return;
    check_leader(arrival->client, delay);
    const Push push = push_of(arrival->request);
    const Target target{omni.host(), push.connection_id};
    check_retired(push, target);
    if (push.value.empty())
        return;
    ++figures.pushes;
    Connection& connection = connections_[target];
    if (connection.last && connection.last->fate == OmniModel::Fate::pending)
        omni.settle(connection.last);
    connection.last = arrival;
    check_order(connection, target, push.value);
    check_reason(connection, target, push);
}

// Only the leader sends, and only as long as its Lease outlasts the request.
void PushOracle::check_leader(const std::string& client, rt::Duration delay) {
    if (client != lease_.leader())
        return complain_("leader: a PATCH of " + client + " came while " +
                         (lease_.leader().empty() ? "nobody" : lease_.leader()) + " led");
    if (time_.now() > lease_.renewed() + (lease_term - request_deadline) + delay)
        complain_("leader: a PATCH of " + client + " came late in its Lease");
}

void PushOracle::check_retired(const Push& push, const Target& target) {
    const auto sender = sender_of(push);
    const auto gone = sender ? retired_.find(*sender) : retired_.end();
    if (gone != retired_.end() && time_.now() > gone->second + told_of_deletion)
        complain_("gone: connection " + shown(target) +
                  " got a value of an object that was deleted long ago");
}

void PushOracle::check_order(Connection& connection, const Target& target,
                             const std::string& value) {
    const auto secret = secret_of_.find(value);
    if (secret == secret_of_.end())
        return complain_("order: connection " + shown(target) +
                         " got a value that no Secret ever had");
    const auto& history = history_[secret->second];
    std::size_t place = history.size();
    while (place > 0 && history[place - 1] != value)
        --place;
    std::size_t& newest = connection.newest_sent[secret->second];
    if (place < newest) {
        ++figures.stale;
        complain_("order: connection " + shown(target) + " got value number " +
                  std::to_string(place) + " of " + shown(secret->second) + " after number " +
                  std::to_string(newest));
    }
    newest = std::max(newest, place);
}

void PushOracle::check_reason(Connection& connection, const Target& target, const Push& push) {
    if (push.value != connection.accepted)
        return;
    ++figures.repeated;
    for (int* reason : {&connection.retries, &connection.settling, &connection.take_over})
        if (*reason > 0) {
            --*reason;
            return;
        }
    Excuse& excuse = excuses_[sender_of(push).value_or(-1)];
    if (excuse.count > 0 && time_.now() <= excuse.until) {
        --excuse.count;
        return;
    }
    complain_("reason: connection " + shown(target) + " got what it has, without a reason");
}

void PushOracle::settled(const OmniModel::ArrivalPointer& arrival, const std::string& host) {
    const Push push = push_of(arrival->request);
    if (push.value.empty())
        return;
    Connection& connection = connections_[{host, push.connection_id}];
    if (arrival->fate == OmniModel::Fate::unknown) {
        ++figures.unknown;
        ++connection.retries;
        ++connection.settling;
        connection.feared_until = time_.now() + feared_for;
    } else if (arrival->status >= 200 && arrival->status < 300) {
        connection.accepted = push.value;
        connection.retries = 0;
    } else {
        ++connection.retries;
        if (may_land_late(arrival->status)) {
            ++connection.settling;
            connection.feared_until = time_.now() + feared_for;
        }
    }
}

} // namespace oco::sim
