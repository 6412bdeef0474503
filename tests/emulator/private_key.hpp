#pragma once

#include "result.hpp"

#include <string_view>

namespace emulator {

/// Whether Omni would take `pem` as a Snowflake private key: one unencrypted PKCS#8 PEM block
/// (`BEGIN PRIVATE KEY`) with an RSA key of at least 2048 bits, and nothing but white space around.
Result<void> check_private_key(std::string_view pem);

} // namespace emulator
