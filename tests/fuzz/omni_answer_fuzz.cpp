// Anything for an answer of Omni's. The first byte chooses the status, the second is the length of
// the credential that was sent, which follows; then the Retry-After header up to a NUL, and the
// body. Besides what the sanitizers find: a message is one short printable line that repeats
// nothing of the credential, and what is read of a connection is usable.
#include "base/text.hpp"
#include "check.hpp"
#include "http/retry_after.hpp"
#include "omni/answer.hpp"
#include "omni/connection_list.hpp"

#include <algorithm>

namespace {

using oco::SecretBytes;
using oco::fuzz::require;
using namespace oco::omni;

// The operator's own words, which a credential may happen to contain.
constexpr std::string_view withheld = "(text withheld: it repeats part of what was sent)";

void check_message(const oco::Error& error, std::string_view secret) {
    require(!error.message.empty() && error.message.size() <= oco::max_message_bytes);
    require(oco::printable(error.message) == error.message);
    const auto colon = error.message.find(": ");
    if (colon == std::string::npos)
        return;
    const auto text = std::string_view(error.message).substr(colon + 2);
    if (text != withheld && text != "(an HTML page)")
        require(!oco::shares_run(text, secret));
}

void check_connection(const ConnectionInfo& connection) {
    require(!connection.id.empty() && connection.id.size() <= 128);
    require(connection.id.find_first_of("./?#% \r\n") == std::string::npos);
    if (const auto& attribute = connection.environment_user_attribute) {
        const bool absent = attribute->state == EnvironmentUserAttribute::State::absent;
        require(absent == attribute->attribute_name.empty());
        require(!absent || attribute->values.empty());
    }
}

oco::Result<std::vector<ConnectionInfo>> list_in_pieces(std::string_view body, std::size_t size) {
    ListMemory::Share memory{ListMemory()};
    ConnectionListReader reader(memory);
    while (!body.empty() && reader.feed(body.substr(0, size)))
        body.remove_prefix(std::min(size, body.size()));
    return reader.finish(200);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2)
        return 0;
    auto rest = oco::fuzz::text_of(data + 2, size - 2);
    const auto take = [&rest](std::size_t count) {
        const auto front = rest.substr(0, count);
        rest.remove_prefix(front.size());
        return front;
    };
    constexpr int statuses[] = {200, 204, 302, 400, 401, 403, 404, 408, 422, 429, 500, 503};
    const auto secret = take(data[1]);
    const auto retry_after = take(std::min(rest.find('\0'), rest.size()));
    take(1); // the NUL
    Update update;
    update.password = SecretBytes(secret);
    oco::http::Response response;
    response.status = statuses[data[0] % std::size(statuses)];
    response.headers = {{"retry-after", std::string(retry_after)}};
    response.body = SecretBytes(rest);

    const Outgoing outgoing{.update = &update};
    const oco::WallTime now{std::chrono::seconds(1'700'000'000)};
    const auto error = error_of(response, outgoing, now);
    check_message(error, secret);
    require(!error.retry_after || (*error.retry_after > std::chrono::seconds(0) &&
                                   *error.retry_after <= oco::http::longest_retry_after));
    if (const auto outcome = check_success(response, outgoing, now); outcome.has_error())
        check_message(outcome.error(), secret);
    const auto list = list_in_pieces(rest, rest.size());
    if (list.has_value())
        std::ranges::for_each(*list, check_connection);
    const auto pieces = list_in_pieces(rest, 1 + data[1] % 16);
    require(pieces.has_value() == list.has_value());
    require(!list.has_value() || pieces->size() == list->size());
    if (const auto one = parse_connection(response); one.has_value())
        check_connection(*one);
    return 0;
}
