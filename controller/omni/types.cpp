#include "omni/types.hpp"

#include "base/digest.hpp"
#include "base/text.hpp"

namespace oco::omni {
namespace {

// As Omni joins them, but without white space around commas, which differs between its documents.
std::string joined(const std::vector<std::string>& values) {
    std::string text;
    for (const auto& value : values) {
        if (&value != &values.front())
            text += ',';
        text += value;
    }
    std::string out;
    std::string_view rest = text;
    while (true) {
        const auto comma = rest.find(',');
        out += trim(rest.substr(0, comma));
        if (comma == std::string_view::npos)
            return out;
        out += ',';
        rest.remove_prefix(comma + 1);
    }
}

std::string_view canonical(std::string_view role) {
    return role == "RESTRICTED_QUERIER" ? "QUERY_TOPICS" : role;
}

} // namespace

bool same_role(std::string_view a, std::string_view b) {
    return canonical(a) == canonical(b);
}

std::string fingerprint_of(const std::vector<std::string>& values, ValuesForm form) {
    return form == ValuesForm::joined ? fingerprint(joined(values)) : oco::fingerprint_of(values);
}

bool same_environment(const ConnectionInfo& told, const EnvironmentUserAttribute& wanted) {
    if (!told.environment_user_attribute)
        return true;
    const auto& attribute = *told.environment_user_attribute;
    if (attribute.state != wanted.state)
        return false;
    if (wanted.state == EnvironmentUserAttribute::State::absent)
        return true;
    const auto values = attribute.form == ValuesForm::list
                            ? wanted.default_values.fingerprint()
                            : fingerprint_of(wanted.default_values, attribute.form);
    return attribute.attribute_name == wanted.attribute_name && attribute.values == values;
}

} // namespace oco::omni
