#include "push_oracle.hpp"

namespace oco::sim {
namespace {

constexpr rt::Duration minute = std::chrono::seconds(60);
// A client gives up after ten seconds, and fears for a minute more.
constexpr rt::Duration feared_for = std::chrono::seconds(75);
constexpr rt::Duration lease_term = std::chrono::seconds(15);
constexpr rt::Duration request_deadline = std::chrono::seconds(10);
// A watch that is dead is found out, and a relist tells of the deletion.
constexpr rt::Duration told_of_deletion = std::chrono::minutes(8);

std::string shown(const rt::TimePoint& time) {
    const auto ms =
        std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
    return std::to_string(ms / 1000) + "." + std::to_string(1000 + ms % 1000).substr(1) + " s";
}

// A proxy's answer for a server that may still be at work.
bool may_land_late(int status) {
    return status == 408 || status == 502 || status == 504;
}

} // namespace

void PushOracle::value_written(const std::string& secret, const std::string& value) {
    history_[secret].push_back(value);
    secret_of_[value] = secret;
}

void PushOracle::excuse(const std::string& connection_id, int times) {
    connections_[connection_id].excuses += times;
}

void PushOracle::leads(const std::string& process, bool clean) {
    ++figures.leaders;
    leader_ = process;
    leads_since_ = time_.now();
    figures.unclean += clean ? 0 : 1;
    for (auto& [id, connection] : connections_) {
        connection.take_over = clean ? 0 : 1;
        if (time_.now() > connection.feared_until)
            continue;
        // It knows that something is unanswered, but not what: it sends, and lets that settle.
        connection.take_over += 2;
        connection.feared_until = time_.now() + feared_for;
    }
}

void PushOracle::released() {
    leader_.clear();
}

void PushOracle::arrived(const OmniModel::ArrivalPointer& arrival, OmniModel& omni, int limit,
                         rt::Duration delay) {
    ++figures.requests;
    check_rate(arrival->request.authorization.value_or(""), limit);
    if (arrival->request.method != "PATCH")
        return;
    check_leader(arrival->client, delay);
    const Push push = push_of(arrival->request);
    if (push.value.empty())
        return;
    ++figures.pushes;
    Connection& connection = connections_[push.connection_id];
    if (connection.last && connection.last->fate == OmniModel::Fate::pending)
        omni.settle(connection.last);
    connection.last = arrival;
    if (connection.retired && time_.now() > *connection.retired + told_of_deletion)
        complain_("connection " + push.connection_id +
                  " got a value though its object is gone, at " + shown(time_.now()));
    check_order(connection, push.connection_id, push.value);
    check_reason(connection, push.connection_id, push.value);
}

// Only the leader sends, and only as long as its Lease outlasts the request.
void PushOracle::check_leader(const std::string& client, rt::Duration delay) {
    if (client != leader_)
        return complain_("a PATCH of " + client + " came while " +
                         (leader_.empty() ? "nobody" : leader_) + " led");
    if (time_.now() > renewed_ + (lease_term - request_deadline) + delay)
        complain_("a PATCH of " + client + " came late in its Lease, at " + shown(time_.now()));
}

void PushOracle::check_order(Connection& connection, const std::string& id,
                             const std::string& value) {
    const auto secret = secret_of_.find(value);
    if (secret == secret_of_.end())
        return complain_("connection " + id + " got a value that no Secret ever had");
    const auto& history = history_[secret->second];
    std::size_t place = history.size();
    while (place > 0 && history[place - 1] != value)
        --place;
    std::size_t& newest = connection.newest_sent[secret->second];
    if (place < newest) {
        ++figures.stale;
        complain_("connection " + id + " got value number " + std::to_string(place) + " of " +
                  secret->second + " after number " + std::to_string(newest) + ", at " +
                  shown(time_.now()));
    }
    newest = std::max(newest, place);
}

void PushOracle::check_reason(Connection& connection, const std::string& id,
                              const std::string& value) {
    if (value != connection.accepted)
        return;
    ++figures.repeated;
    for (int* reason :
         {&connection.retries, &connection.settling, &connection.take_over, &connection.excuses})
        if (*reason > 0) {
            --*reason;
            return;
        }
    complain_("connection " + id + " got what it has, without a reason, at " + shown(time_.now()));
}

void PushOracle::check_rate(const std::string& token, int limit) {
    auto& recent = recent_[token];
    recent.push_back(time_.now());
    while (recent.front() <= time_.now() - minute)
        recent.pop_front();
    // Of what its predecessor sent, a new leader knows only what was recorded.
    int since = 0;
    for (const auto& time : recent)
        since += time >= leads_since_ ? 1 : 0;
    if (since > limit)
        complain_(std::to_string(since) + " requests within a minute, of " + std::to_string(limit) +
                  ", at " + shown(time_.now()));
}

void PushOracle::settled(const OmniModel::ArrivalPointer& arrival) {
    const Push push = push_of(arrival->request);
    if (push.value.empty())
        return;
    Connection& connection = connections_[push.connection_id];
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
