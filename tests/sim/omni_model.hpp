// A model of Omni on the simulated network: the emulator's reading of Omni's API, with the rights
// of each key and with all that can go wrong between a request and its answer.
#pragma once

#include "model.hpp"
#include "network.hpp"

#include <functional>
#include <optional>
#include <set>

namespace oco::sim {

// What goes wrong at Omni while it is set. Probabilities are for each request.
struct OmniTrouble {
    Accept accept = Accept::yes;
    double error_before = 0;      // 500, 502, 503, 504 or 408, and nothing was done
    double error_after = 0;       // the same, but it was done
    double too_many = 0;          // 429, half of them with Retry-After
    double reply_lost = 0;        // done, and the connection breaks
    double reply_half = 0;        // done, half of the answer arrives
    double dropped = 0;           // not done, and the connection breaks
    double never = 0;             // not done, and no answer comes
    double reply_never = 0;       // done, and no answer comes
    double late = 0;              // no answer comes, and it is done up to a minute after it arrived
    double forbidden = 0;         // 403 to a PATCH
    rt::Duration slowness{};      // of each answer, at most
    rt::Duration list_slowness{}; // of each list, beyond that, at most
    rt::Duration next_answer_takes{};                   // beyond that; only this one
    bool next_patch_lost = false;                       // it is not done, and no answer comes
    std::optional<rt::Duration> next_patch_lands_after; // it is done then, and no answer comes
};

// What a key may read; what it may change is the emulator's to know.
struct ReadingRights {
    bool list = true;
    bool get = true;
    std::optional<std::set<std::string>> sees; // ids; nullopt: all

    [[nodiscard]] bool shows(const std::string& id) const { return !sees || sees->contains(id); }
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
        int status = 0;       // of the answer; 0: there is none
        bool sent = false;    // the answer
        bool applied = false; // it changed something
        bool late = false;    // it was done after its sender had given up, or died
        Fate fate = Fate::pending;
        // What the answer to a list, or to the read of one connection, shows: ids that are not
        // deleted.
        std::shared_ptr<const std::set<std::string>> shown;

        [[nodiscard]] std::string token() const;
        [[nodiscard]] bool lists() const;
        // The id whose connection is read; empty for other requests.
        [[nodiscard]] std::string reads() const;
    };

    using ArrivalPointer = std::shared_ptr<Arrival>;

    OmniModel(test::SimRuntime& time, std::uint64_t seed, std::string host, emulator::Seed content);

    Accept accept() override { return trouble.accept; }

    void request(HttpRequest request, ChannelPointer channel) override;

    [[nodiscard]] const std::string& host() const { return host_; }

    emulator::Model& content() { return model_; }

    [[nodiscard]] const emulator::Model& content() const { return model_; }

    OmniTrouble trouble;
    std::map<std::string, ReadingRights> reading; // by token; all rights without an entry

    // Told when a request has come, before anything is done; when it has changed something; and
    // when it is known what its client learnt of it.
    std::function<void(const ArrivalPointer&)> on_arrival;
    std::function<void(const ArrivalPointer&)> on_stored;
    std::function<void(const ArrivalPointer&)> on_settled;

    // Says what is known by now of a request whose fate is pending.
    void settle(const ArrivalPointer& arrival) const;

  private:
    emulator::Answer carry_out(const ArrivalPointer& arrival);
    std::optional<emulator::Answer> refuse_reading(const Arrival& arrival) const;
    void note_shown(Arrival& arrival, emulator::Answer& answer) const;
    emulator::Answer forced_error();
    void answer(const ArrivalPointer& arrival, const emulator::Answer& answer);
    void apply_late(const ArrivalPointer& arrival, rt::Duration delay);
    void conclude(const ArrivalPointer& arrival, Fate fate) const;

    test::SimRuntime& time_;
    Dice dice_;
    std::string host_;
    emulator::Model model_;
};

} // namespace oco::sim
