// What Omni received, and what follows from it for the budget. Everything is judged by the time at
// which a request arrived.
#pragma once

#include "push.hpp"
#include "rt/runtime.hpp"

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace oco::sim {

enum class RequestKind { list, look, whoami, push }; // look: at one connection

struct Received {
    rt::TimePoint time{};
    std::string client; // the process, by its address
    RequestKind kind = RequestKind::list;
    std::string token;
    Push push;
    int status = 0; // of the answer; 0: there is none
    std::optional<rt::TimePoint> answered;

    [[nodiscard]] bool accepted() const { return status >= 200 && status < 300; }
};

class Traffic {
  public:
    using Which = std::function<bool(const Received&)>;

    // Its place, for answered().
    std::size_t add(Received received);
    void answered(std::size_t place, int status, rt::TimePoint when);

    [[nodiscard]] const std::vector<Received>& all() const { return received_; }

    // In the order of arrival.
    [[nodiscard]] std::vector<rt::TimePoint> times(const Which& which) const;
    [[nodiscard]] std::size_t count(const Which& which) const;
    // The first that fits, or null.
    [[nodiscard]] const Received* first(const Which& which) const;

    // Most requests that were on their way to an answer at once. Who got none has given up
    // after `patience`.
    [[nodiscard]] std::size_t most_at_once(const Which& which, rt::Duration patience) const;

  private:
    std::vector<Received> received_;
};

namespace requests {

bool any(const Received& received);
bool pushes(const Received& received);
bool lists(const Received& received);
bool refused(const Received& received); // with 429
Traffic::Which at(rt::TimePoint from, rt::TimePoint until, Traffic::Which which = any);

} // namespace requests

// The most of these times, which ascend, that lie within any [t, t + window).
std::size_t largest_window(const std::vector<rt::TimePoint>& times, rt::Duration window);

// While there is always something to send, a client that uses all of `limit` sends each request a
// minute after the one `limit` places before. This is the share of it that is reached where it goes
// slowest; 0 for fewer than limit + 1 requests, which tell nothing.
double least_used(const std::vector<rt::TimePoint>& times, std::size_t limit);

// The shortest time between one and the next.
rt::Duration least_gap(const std::vector<rt::TimePoint>& times);

} // namespace oco::sim
