// Any bytes as an HTTP answer, whole and in slices. Besides what the sanitizers find: how the bytes
// are cut makes no difference, and what comes out keeps within the limit.
#include "check.hpp"
#include "http/codec.hpp"

namespace {

using namespace oco;
using fuzz::require;

constexpr std::size_t limit = std::size_t{64} * 1024;

struct Outcome {
    bool fine = true;
    bool done = false;
    int status = 0;
    std::string body;

    bool operator==(const Outcome&) const = default;
};

Outcome read(std::string_view bytes, std::size_t slice, http::Encoding accepted) {
    http::ResponseParser parser(limit, accepted);
    Outcome out;
    while (out.fine && !bytes.empty()) {
        out.fine = parser.feed(bytes.substr(0, slice)).has_value();
        bytes.remove_prefix(std::min(slice, bytes.size()));
    }
    out.fine = out.fine && parser.finish().has_value();
    if (!out.fine)
        return out;
    out.done = parser.done();
    out.status = parser.head().status;
    out.body = parser.take_body().expose();
    require(out.done && out.status >= 200);
    require(out.body.size() <= limit);
    return out;
}

} // namespace

// The first byte chooses what was asked for and the size of the slices.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0)
        return 0;
    const auto bytes = fuzz::text_of(data + 1, size - 1);
    const auto accepted = (data[0] & 1) != 0 ? http::Encoding::gzip : http::Encoding::identity;
    const std::size_t slice = 1 + data[0] / 2;
    require(read(bytes, size, accepted) == read(bytes, slice, accepted));
    return 0;
}
