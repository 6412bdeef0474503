#include "rt/runtime.hpp"

#include "rt/authority.hpp"

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
    return join_authority(host, port);
}

} // namespace oco::rt
