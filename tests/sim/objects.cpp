#include "objects.hpp"

namespace oco::sim {

bj::object spec_of(const ManagedObject& object, const Name& instance) {
    bj::object spec{{"driftCheckInterval", "0s"}};
    spec["instanceRef"] = bj::object{{"name", instance.second}, {"namespace", instance.first}};
    if (object.connection_name.empty())
        spec["connectionID"] = object.connection_id;
    else
        spec["connectionName"] = object.connection_name;
    if (object.manages[place(Field::credential)])
        spec["credentials"] = bj::object{
            {"repushInterval", "0s"},
            {"password", bj::object{{"secretRef", bj::object{{"name", object.secret_name().second},
                                                             {"key", "password"}}}}}};
    if (object.manages[place(Field::base_role)])
        spec["baseRole"] = marked_role(object.number, object.role);
    if (object.manages[place(Field::attribute)])
        spec["environmentUserAttribute"] =
            object.attribute_present
                ? bj::object{{"state", "Present"},
                             {"attributeName", marked_attribute(object.number)},
                             {"defaultValues", bj::array{std::to_string(object.attribute), "eu"}}}
                : bj::object{{"state", "Absent"}};
    if (object.suspended)
        spec["suspend"] = true;
    return spec;
}

} // namespace oco::sim
