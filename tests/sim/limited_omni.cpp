#include "limited_omni.hpp"

#include "wire.hpp"

namespace oco::sim {
namespace {

RequestKind kind_of(const HttpRequest& request) {
    return request.method == "PATCH"                          ? RequestKind::push
           : request.path.ends_with("/whoami")                ? RequestKind::whoami
           : emulator::connection_id_of(request.path).empty() ? RequestKind::list
                                                              : RequestKind::look;
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
    emulator::Request received{.method = request.method,
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
    auto ticket = engine.receive(received, now());
    const auto exchange = std::make_shared<const Exchange>(Exchange{.place = place,
                                                                    .ticket = std::move(ticket),
                                                                    .request = std::move(received),
                                                                    .channel = std::move(channel)});
    const emulator::Course& course = exchange->ticket.course;
    if (course.apply == emulator::Apply::late && course.reply == emulator::Reply::close)
        exchange->channel->reset();
    if (course.apply == emulator::Apply::late && course.answer) // of a gateway that gives up
        answer(*exchange, *course.answer);
    if (course.wait == std::chrono::milliseconds::zero())
        proceed(exchange);
    else
        time_.after(course.wait, [this, exchange] { proceed(exchange); });
}

// What is asked for is done at once, as the sender learns later, if at all.
void LimitedOmni::proceed(const ExchangePointer& exchange) {
    const emulator::Course& course = exchange->ticket.course;
    emulator::Answer said;
    if (auto refusal = refuses ? refuses(traffic.all()[exchange->place]) : std::nullopt)
        said = std::move(*refusal);
    else if (course.answer && course.apply != emulator::Apply::late)
        said = *course.answer;
    else if (course.apply != emulator::Apply::never)
        said = carry_out(*exchange);
    if (course.apply == emulator::Apply::late || course.reply == emulator::Reply::hang)
        return;
    const auto takes = answer_time ? answer_time(traffic.all()[exchange->place])
                                   : dice_.duration(least_answer_time, most_answer_time);
    time_.after(takes, [this, exchange, said] { answer(*exchange, said); });
}

emulator::Answer LimitedOmni::carry_out(const Exchange& exchange) {
    auto said = engine.handle(exchange.ticket.seq, exchange.request);
    const Received& received = traffic.all()[exchange.place];
    if (on_stored && received.kind == RequestKind::push && said.status < 300)
        on_stored(received);
    return said;
}

void LimitedOmni::answer(const Exchange& exchange, const emulator::Answer& answer) {
    const emulator::Request& request = exchange.request;
    const emulator::Reply reply = exchange.ticket.course.reply;
    if (reply == emulator::Reply::close)
        return exchange.channel->reset();
    std::string text =
        emulator::serialize(answer, request.method, emulator::AfterAnswer::keep_alive).text;
    if (reply == emulator::Reply::half) {
        text.resize(text.size() - (answer.body.size() + 1) / 2);
        exchange.channel->send(text);
        return exchange.channel->finish();
    }
    tell("omni: " + std::to_string(answer.status) + " for " + request.method + " " +
         request.target);
    engine.answering(exchange.ticket.seq, answer.status);
    traffic.answered(exchange.place, static_cast<int>(answer.status), time_.now());
    exchange.channel->send(text);
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
