#pragma once

#include "faults.hpp"
#include "journal.hpp"
#include "model.hpp"
#include "rate.hpp"

namespace emulator {

/// The time of an event on both clocks.
struct Now {
    Instant steady{};
    std::chrono::microseconds wall{}; ///< since 1970, for people and logs
};

/// RFC 3339 in UTC with milliseconds.
std::string format_time(std::chrono::microseconds wall);

/// A request that was received, and what is to happen to it.
struct Ticket {
    std::uint64_t seq = 0;
    Course course;
};

/// The emulator without its sockets: log, rate limit, injected faults and the model behind them.
/// The shell calls receive(); waits; calls handle() unless the course has an answer of its own or
/// forbids it; and before it sends a whole answer, answering().
class Engine {
  public:
    Engine(Seed seed, Limits limits) : model_(std::move(seed)), limiter_(limits) {}

    /// Logs the request and counts it against its token, whatever comes of it. One over the limit
    /// is answered with 429 and uses up no fault.
    Ticket receive(const Request& request, Now now);

    /// Answers and stores, by the connections and tokens of this moment.
    Answer handle(std::uint64_t seq, const Request& request);

    /// Called before the sending begins: a client that has the answer then finds it in the log.
    void answering(std::uint64_t seq, unsigned status) { journal_.set_answered(seq, status); }

    void sending_failed(std::uint64_t seq, unsigned status) {
        journal_.take_back_answer(seq, status);
    }

    Model& model() { return model_; }

    Journal& journal() { return journal_; }

    FaultList& faults() { return faults_; }

    RateLimiter& limiter() { return limiter_; }

    /// Clears log, statistics and faults; connections, tokens and used-up budget stay.
    void reset();

  private:
    Model model_;
    RateLimiter limiter_;
    FaultList faults_;
    Journal journal_;
};

} // namespace emulator
