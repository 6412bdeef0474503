#include "mask.hpp"

#include <openssl/sha.h>

namespace emulator {
namespace {

constexpr std::string_view hidden = "‹masked›";

void write_masked_field(JsonWriter& writer, std::string_view name, const rapidjson::Value& value) {
    if (name == "baseRole" || name == "environmentUserAttribute") {
        value.Accept(writer);
    } else if (name == "passwordUnencrypted" && value.IsString()) {
        put(writer, mask_credential("password", view(value)));
    } else if (name == "privateKey" && value.IsString()) {
        put(writer, mask_credential("private key", view(value)));
    } else {
        put(writer, hidden);
    }
}

} // namespace

std::string mask_credential(std::string_view kind, std::string_view value) {
    constexpr std::size_t shown_bytes = 4;
    constexpr char digits[] = "0123456789abcdef";
    unsigned char hash[SHA256_DIGEST_LENGTH];
    SHA256(reinterpret_cast<const unsigned char*>(value.data()), value.size(), hash);
    std::string text = "‹" + std::string(kind) + ", " + std::to_string(value.size()) +
                       (value.size() == 1 ? " byte" : " bytes") + ", sha256 ";
    for (std::size_t i = 0; i < shown_bytes; ++i) {
        text += digits[hash[i] >> 4];
        text += digits[hash[i] & 15];
    }
    return text + "›";
}

void write_masked_body(JsonWriter& writer, const rapidjson::Value& body) {
    if (!body.IsObject()) {
        put(writer, hidden);
        return;
    }
    writer.StartObject();
    for (const auto& [name, value] : body.GetObject()) {
        writer.Key(name.GetString(), name.GetStringLength());
        write_masked_field(writer, view(name), value);
    }
    writer.EndObject();
}

} // namespace emulator
