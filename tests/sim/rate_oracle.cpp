#include "rate_oracle.hpp"

#include <algorithm>
#include <limits>

namespace oco::sim {
namespace {

constexpr rt::Duration minute = std::chrono::seconds(60);
// While something changed within it, the highest limit of that time counts: what was sent under
// another limit is in the window, and which instances share a key has to be learnt.
constexpr rt::Duration settling = std::chrono::seconds(130);

} // namespace

int RateOracle::limit(const std::string& host, const std::string& token) const {
    const auto steady_since = time_.now() - settling;
    int lowest = std::numeric_limits<int>::max();
    int highest = 0;
    bool steady = lease_.since() < steady_since && troubled_ < steady_since;
    for (const auto& [name, history] : truth_.instances) {
        if (history.empty())
            continue;
        for (auto version = history.rbegin(); version != history.rend(); ++version) {
            if (version->value && version->value->host == host)
                highest = std::max(highest, version->value->limit);
            if (version->written < steady_since)
                break;
            steady = false;
        }
        const auto* now = newest(history);
        if (now == nullptr || now->host != host)
            continue;
        const auto& secrets = history_of(truth_.secrets, now->token_secret);
        steady &= !secrets.empty() && secrets.back().written < steady_since;
        const auto* secret = newest(secrets);
        if (secret != nullptr && secret->token == token && !now->suspended)
            lowest = std::min(lowest, now->limit);
    }
    return steady && lowest <= highest ? lowest : highest;
}

void RateOracle::arrived(const OmniModel::Arrival& arrival, const std::string& host) {
    ++requests;
    auto& recent = recent_[{host, arrival.token()}];
    recent.push_back(time_.now());
    while (recent.front() <= time_.now() - minute)
        recent.pop_front();
    // Of what its predecessor sent, a new leader knows only what was recorded.
    const auto since = std::ranges::count_if(
        recent, [this](const rt::TimePoint& time) { return time >= lease_.since(); });
    if (const int most = limit(host, arrival.token()); since > most)
        complain_("rate: " + std::to_string(since) + " requests within a minute, of " +
                  std::to_string(most));
}

} // namespace oco::sim
