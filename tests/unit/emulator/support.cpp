#include "support.hpp"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <memory>

namespace emulator_test {

emulator::Seed seed() {
    auto made = emulator::parse_seed(R"(
connections:
  - id: 11111111-1111-4111-8111-111111111111
    name: Sales Postgres
    dialect: postgres
    database: sales
    baseRole: QUERIER
    environmentUserAttribute: {attributeName: env, defaultValues: [prod, dev]}
    password: first
  - {id: 22222222-2222-4222-8222-222222222222, name: Snow, dialect: snowflake, database: LAKE}
  - {id: 33333333-3333-4333-8333-333333333333, name: Big, dialect: bigquery, database: sales-eu}
  - {id: 44444444-4444-4444-8444-444444444444, name: Old, dialect: mysql, deleted: true}
customRoles: [Data Steward]
tokens:
  - admin
  - {token: viewer, role: viewer}
  - {token: limited, connections: [11111111-1111-4111-8111-111111111111]}
)",
                                     "2026-01-01T00:00:00.000Z");
    REQUIRE_MESSAGE(made.has_value(), made.error().message);
    return std::move(*made);
}

emulator::Request request(const std::string& method, const std::string& target,
                          const std::string& body, const std::string& token) {
    return {.method = method,
            .target = target,
            .authorization = "Bearer " + token,
            .content_type = "application/json",
            .body = body};
}

emulator::Request patch(const std::string& id, const std::string& body) {
    return request("PATCH", "/api/v1/connections/" + id, body);
}

std::string private_key(const std::string& kind, unsigned bits) {
    const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(
        kind == "ec" ? EVP_EC_gen("P-256") : EVP_RSA_gen(bits), &EVP_PKEY_free);
    const std::unique_ptr<BIO, decltype(&BIO_free)> bio(BIO_new(BIO_s_mem()), &BIO_free);
    if (kind == "pkcs1") {
        PEM_write_bio_PrivateKey_traditional(bio.get(), key.get(), nullptr, nullptr, 0, nullptr,
                                             nullptr);
    } else if (kind == "encrypted") {
        std::string pass = "secret";
        PEM_write_bio_PKCS8PrivateKey(bio.get(), key.get(), EVP_aes_128_cbc(), pass.data(),
                                      static_cast<int>(pass.size()), nullptr, nullptr);
    } else {
        PEM_write_bio_PKCS8PrivateKey(bio.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr);
    }
    char* text = nullptr;
    const long size = BIO_get_mem_data(bio.get(), &text);
    return {text, static_cast<std::size_t>(size)};
}

std::string json_object(const std::string& name, const std::string& text) {
    return emulator::to_json([&](emulator::JsonWriter& writer) {
        writer.StartObject();
        emulator::put(writer, name.c_str(), text);
        writer.EndObject();
    });
}

rapidjson::Document parsed(const std::string& text) {
    auto document = emulator::parse_json(text);
    REQUIRE_MESSAGE(document.has_value(), text);
    return std::move(*document);
}

emulator::Now at(std::chrono::milliseconds time) {
    return {time, std::chrono::milliseconds(1'700'000'000'000) + time};
}

} // namespace emulator_test
