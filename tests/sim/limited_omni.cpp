#include "limited_omni.hpp"

#include "wire.hpp"

namespace oco::sim {
namespace {

RequestKind kind_of(const HttpRequest& request) {
    return request.method == "PATCH"           ? RequestKind::push
           : request.path.ends_with("/whoami") ? RequestKind::whoami
                                               : RequestKind::list;
}

std::string token_of(const std::string& authorization) {
    constexpr std::string_view scheme = "Bearer ";
    return authorization.starts_with(scheme) ? authorization.substr(scheme.size()) : "";
}

} // namespace

emulator::Now LimitedOmni::now() const {
    using std::chrono::duration_cast;
    return {.steady = duration_cast<emulator::Instant>(time_.now().time_since_epoch()),
            .wall = duration_cast<std::chrono::microseconds>(time_.wall_now().time_since_epoch())};
}

Accept LimitedOmni::accept() {
    if (accepts != Accept::yes) {
        knocks.push_back(time_.now());
        tell("omni: a connection that is not accepted");
    }
    return accepts;
}

void LimitedOmni::request(HttpRequest request, ChannelPointer channel) {
    const emulator::Request received{.method = request.method,
                                     .target = request.target,
                                     .authorization = request.header("authorization"),
                                     .content_type = request.header("content-type"),
                                     .body = request.body};
    const std::size_t place = traffic.add({.time = time_.now(),
                                           .client = channel->client(),
                                           .kind = kind_of(request),
                                           .token = token_of(request.header("authorization")),
                                           .push = push_of(received)});
    tell("omni: " + channel->client() + " " + request.method + " " + request.target);
    const emulator::Ticket ticket = engine.receive(received, now());
    if (ticket.course.reply == emulator::Reply::hang)
        return;
    const auto answer_time = dice_.duration(least_answer_time, most_answer_time);
    // What is asked for is done at once, as the sender learns later.
    const auto said =
        ticket.course.answer ? *ticket.course.answer : engine.handle(ticket.seq, received);
    time_.after(answer_time, [this, place, seq = ticket.seq, received, said, channel] {
        answer(place, seq, received, said, channel);
    });
}

void LimitedOmni::answer(std::size_t place, std::uint64_t seq, const emulator::Request& request,
                         const emulator::Answer& answer, const ChannelPointer& channel) {
    tell("omni: " + std::to_string(answer.status) + " for " + request.method + " " +
         request.target);
    engine.answering(seq, answer.status);
    traffic.answered(place, static_cast<int>(answer.status), time_.now());
    channel->send(
        emulator::serialize(answer, request.method, emulator::AfterAnswer::keep_alive).text);
}

void LimitedOmni::other_client(const std::string& token) {
    engine.receive({.method = "GET",
                    .target = "/api/v1/whoami",
                    .authorization = "Bearer " + token,
                    .content_type = {},
                    .body = {}},
                   now());
}

emulator::Fault answering(unsigned status, const std::string& connection_id) {
    emulator::Fault fault;
    fault.name = "answers " + std::to_string(status);
    fault.connection_id = connection_id;
    fault.action = "respond";
    fault.course.apply = emulator::Apply::never;
    fault.course.answer = emulator::error_answer(status, "Something went wrong");
    return fault;
}

emulator::Fault never_answering() {
    emulator::Fault fault;
    fault.name = fault.action = "hang";
    fault.course = {.apply = emulator::Apply::never, .reply = emulator::Reply::hang};
    return fault;
}

} // namespace oco::sim
