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
    // How long an answer takes.
    rt::Duration least_answer_time{};
    rt::Duration most_answer_time{};

  private:
    [[nodiscard]] emulator::Now now() const;
    void answer(std::size_t place, std::uint64_t seq, const emulator::Request& request,
                const emulator::Answer& answer, const ChannelPointer& channel);

    test::SimRuntime& time_;
    Dice dice_;
};

// A fault that answers with `status`: requests for this connection, or all when it is empty.
emulator::Fault answering(unsigned status, const std::string& connection_id = {});
// A fault that leaves every request without an answer, not done.
emulator::Fault never_answering();

} // namespace oco::sim
