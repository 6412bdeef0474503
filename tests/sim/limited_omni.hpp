// Omni behind its limit of requests: the engine of the emulator on the simulated network. It
// answers after a while, and also counts what others send with the same key.
#pragma once

#include "engine.hpp"
#include "network.hpp"
#include "traffic.hpp"

namespace oco::sim {

class LimitedOmni final : public Server {
  public:
    LimitedOmni(test::SimRuntime& time, std::uint64_t seed, emulator::Seed content,
                emulator::Limits limits)
        : engine(std::move(content), limits), time_(time), dice_(seed, "omni") {}

    Accept accept() override;
    void request(HttpRequest request, ChannelPointer channel) override;

    // Another client of this key sends a request, which is counted like all others.
    void other_client(const std::string& token);

    // Told of each request and of each connection that is not accepted.
    std::function<void(const std::string&)> tell = [](const std::string&) {
    };

    emulator::Engine engine;
    Traffic traffic;                   // without that of other clients
    std::vector<rt::TimePoint> knocks; // connections that were not accepted
    Accept accepts = Accept::yes;
    // How long an answer takes, after what was asked for is done.
    rt::Duration least_answer_time{};
    rt::Duration most_answer_time{};
    // Of this one, when it is set.
    std::function<rt::Duration(const Received&)> answer_time;
    // An answer in place of what is asked for, when it is set and gives one.
    std::function<std::optional<emulator::Answer>(const Received&)> refuses;
    // Told of each PATCH that was carried out, also of one that nobody waits for any more.
    std::function<void(const Received&)> on_stored;

  private:
    // A request on its way to an answer.
    struct Exchange {
        std::size_t place = 0; // in `traffic`
        emulator::Ticket ticket;
        emulator::Request request;
        ChannelPointer channel;
    };

    using ExchangePointer = std::shared_ptr<const Exchange>;

    [[nodiscard]] emulator::Now now() const;
    void proceed(const ExchangePointer& exchange);
    emulator::Answer carry_out(const Exchange& exchange);
    void answer(const Exchange& exchange, const emulator::Answer& answer);

    test::SimRuntime& time_;
    Dice dice_;
};

// A fault that answers with `status`: requests for this connection, or all when it is empty.
emulator::Fault answering(unsigned status, const std::string& connection_id = {});
// A fault that leaves every request without an answer, not done.
emulator::Fault never_answering();

} // namespace oco::sim
