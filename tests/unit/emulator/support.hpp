#pragma once

#include "engine.hpp"

#include <doctest/doctest.h>

#include <string>

/// What the tests of the emulator share.
namespace emulator_test {

inline constexpr const char* postgres_id = "11111111-1111-4111-8111-111111111111";
inline constexpr const char* snowflake_id = "22222222-2222-4222-8222-222222222222";
inline constexpr const char* bigquery_id = "33333333-3333-4333-8333-333333333333";
inline constexpr const char* deleted_id = "44444444-4444-4444-8444-444444444444";
inline constexpr const char* unknown_id = "99999999-9999-4999-8999-999999999999";

/// One connection of each kind, the custom role "Data Steward", and the tokens `admin`, `viewer`
/// and `limited` (may change the Postgres connection only), in this order.
emulator::Seed seed();

emulator::Request request(const std::string& method, const std::string& target,
                          const std::string& body = "", const std::string& token = "admin");

/// A PATCH of the connection with the token `admin`.
emulator::Request patch(const std::string& id, const std::string& body);

/// A new private key as PEM. `kind`: "rsa" in PKCS#8, "pkcs1", "encrypted" or "ec".
std::string private_key(const std::string& kind, unsigned bits = 2048);

/// `{"NAME": "TEXT"}` with the text escaped.
std::string json_object(const std::string& name, const std::string& text);

/// The text parsed; fails the test if it is not JSON.
rapidjson::Document parsed(const std::string& text);

emulator::Now at(std::chrono::milliseconds time);

} // namespace emulator_test
