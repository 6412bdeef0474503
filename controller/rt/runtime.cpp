#include "rt/runtime.hpp"

#include <cstring>

namespace oco::rt {

double Runtime::random_unit() {
    std::uint64_t bits = 0;
    unsigned char bytes[sizeof bits];
    random_bytes(bytes);
    std::memcpy(&bits, bytes, sizeof bits);
    return static_cast<double>(bits >> 11) * 0x1.0p-53;
}

std::string Endpoint::authority() const {
    const bool v6 = host.find(':') != std::string::npos;
    return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

} // namespace oco::rt
