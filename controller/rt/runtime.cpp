#include "rt/runtime.hpp"

#include "net/authority.hpp"

#include <boost/asio/post.hpp>

#include <cstring>
#include <utility>

namespace oco::rt {

void Runtime::run_aside(std::function<void()> work, std::function<void()> done) {
    work();
    asio::post(executor(), std::move(done));
}

double Runtime::random_unit() {
    std::uint64_t bits = 0;
    unsigned char bytes[sizeof bits];
    random_bytes(bytes);
    std::memcpy(&bits, bytes, sizeof bits);
    return static_cast<double>(bits >> 11) * 0x1.0p-53;
}

std::string Runtime::random_name() {
    constexpr std::string_view digits = "0123456789abcdef";
    unsigned char bytes[8];
    random_bytes(bytes);
    std::string out;
    for (const unsigned char byte : bytes) {
        out.push_back(digits[byte >> 4]);
        out.push_back(digits[byte & 0xF]);
    }
    return out;
}

std::string Endpoint::authority() const {
    return net::join_authority(host, port);
}

} // namespace oco::rt
