// A model of Omni on the simulated network: the emulator's reading of Omni's API, with a limit of
// requests and with all that can go wrong between a request and its answer.
#pragma once

#include "model.hpp"
#include "network.hpp"

#include <functional>

namespace oco::sim {

// What goes wrong at Omni while it is set. Probabilities are for each request.
struct OmniTrouble {
    Accept accept = Accept::yes;
    double error_before = 0; // 500, 502, 503, 504 or 408, and nothing was done
    double error_after = 0;  // the same, but it was done
    double too_many = 0;     // 429, half of them with Retry-After
    double reply_lost = 0;   // done, and the connection breaks
    double reply_half = 0;   // done, half of the answer arrives
    double dropped = 0;      // not done, and the connection breaks
    double never = 0;        // not done, and no answer comes
    double reply_never = 0;  // done, and no answer comes
    double late = 0;      // no answer comes, and it is done up to a minute after the sender gave up
    double forbidden = 0; // 403 to a PATCH
    rt::Duration slowness{};          // of each answer, at most
    rt::Duration next_answer_takes{}; // beyond that; only this one
};

class OmniModel final : public Server {
  public:
    // What became of one request.
    enum class Fate {
        pending,
        delivered, // the client has the whole answer
        unknown,   // it has not, or not the whole
    };

    struct Arrival {
        rt::TimePoint time{};
        std::string client;
        ChannelPointer channel;
        emulator::Request request;
        int status = 0;    // of the answer; 0: there is none
        bool sent = false; // the answer
        bool applied = false;
        Fate fate = Fate::pending;
    };

    using ArrivalPointer = std::shared_ptr<Arrival>;

    OmniModel(test::SimRuntime& time, std::uint64_t seed, emulator::Seed content);

    Accept accept() override { return trouble.accept; }

    void request(HttpRequest request, ChannelPointer channel) override;

    emulator::Model& content() { return model_; }

    OmniTrouble trouble;
    // Told when a request has come, and when it is known what its client learnt of it.
    std::function<void(const ArrivalPointer&)> on_arrival;
    std::function<void(const ArrivalPointer&)> on_settled;

    // Says what is known by now of a request whose fate is pending.
    void settle(const ArrivalPointer& arrival) const;

  private:
    emulator::Answer carry_out(const ArrivalPointer& arrival);
    emulator::Answer forced_error();
    void answer(const ArrivalPointer& arrival, const emulator::Answer& answer);
    void apply_late(const ArrivalPointer& arrival);
    void conclude(const ArrivalPointer& arrival, Fate fate) const;
    void await_delivery(const ArrivalPointer& arrival);

    test::SimRuntime& time_;
    Dice dice_;
    emulator::Model model_;
};

} // namespace oco::sim
