#include "engine.hpp"

#include <cstdio>
#include <ctime>

namespace emulator {

std::string format_time(std::chrono::microseconds wall) {
    const std::time_t seconds = std::chrono::floor<std::chrono::seconds>(wall).count();
    std::tm parts{};
    gmtime_r(&seconds, &parts);
    char text[32];
    const auto size = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
    char fraction[8];
    std::snprintf(fraction, sizeof fraction, ".%03dZ",
                  static_cast<int>(wall.count() / 1000 % 1000));
    return std::string(text, size) + fraction;
}

Ticket Engine::receive(const Request& request, Now now) {
    const auto path = parse_target(request.target).path;
    const auto token = model_.find_token(request.authorization);
    Ticket ticket;
    ticket.seq = journal_.add({.time = now.wall,
                               .method = request.method,
                               .path = request.target,
                               .connection_id = connection_id_of(path),
                               .token_index = token,
                               .body = request.body});
    if (token && !limiter_.admit(model_.tokens()[*token].text, now.steady)) {
        journal_.count_over_limit();
        ticket.course.apply = Apply::never;
        ticket.course.answer = error_answer(429, "Too Many Requests: rate limit exceeded");
        return ticket;
    }
    if (const Fault* fault = faults_.match(request.method, path)) {
        journal_.set_fault(ticket.seq, fault->name);
        ticket.course = fault->course;
    }
    return ticket;
}

Answer Engine::handle(std::uint64_t seq, const Request& request) {
    auto outcome = model_.handle(request);
    if (outcome.applied)
        journal_.set_applied(seq);
    return std::move(outcome.answer);
}

void Engine::reset() {
    journal_.clear_entries();
    journal_.clear_statistics();
    faults_.clear();
    limiter_.reset_statistics();
}

} // namespace emulator
