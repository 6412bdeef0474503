#include "push.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

namespace oco::sim {

Push push_of(const emulator::Request& request) {
    Push push;
    if (request.method != "PATCH")
        return push;
    push.connection_id = emulator::connection_id_of(emulator::parse_target(request.target).path);
    boost::system::error_code ec;
    const auto body = boost::json::parse(request.body, ec);
    if (ec || !body.is_object())
        return push;
    const auto& fields = body.get_object();
    if (const auto* password = fields.if_contains("passwordUnencrypted"))
        push.value = password->as_string().c_str();
    if (const auto* role = fields.if_contains("baseRole"))
        push.base_role = role->as_string().c_str();
    if (const auto* attribute = fields.if_contains("environmentUserAttribute")) {
        push.attribute.emplace();
        if (const auto* setting = attribute->if_object())
            push.attribute = {.name = setting->at("attributeName").as_string().c_str(),
                              .values = boost::json::serialize(setting->at("defaultValues"))};
    }
    return push;
}

std::string connection_id_of_number(int number) {
    return "00000000-0000-4000-8000-" + std::to_string(100'000'000'000 + number);
}

} // namespace oco::sim
