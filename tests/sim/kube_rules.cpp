#include "kube_rules.hpp"

#include <boost/json/value.hpp>

namespace oco::sim {
namespace {

Refusal invalid(std::string_view plural, std::string_view what) {
    return {422, "Invalid", std::string(plural) + " is invalid: " + std::string(what)};
}

Refusal modified() {
    return {409, "Conflict",
            "the object has been modified; please apply your changes to the latest version"};
}

// 2026-01-01T00:00:00.000000Z
bool is_micro_time(std::string_view text) {
    constexpr std::string_view pattern = "0000-00-00T00:00:00.000000Z";
    bool same = text.size() == pattern.size();
    for (std::size_t i = 0; same && i < pattern.size(); ++i)
        same = pattern[i] == '0' ? text[i] >= '0' && text[i] <= '9' : text[i] == pattern[i];
    return same;
}

const bj::object* object_at(const bj::object& parent, std::string_view name) {
    const bj::value* found = parent.if_contains(name);
    return found == nullptr ? nullptr : found->if_object();
}

std::optional<Refusal> refuse_lease(const bj::object& lease) {
    const bj::object* spec = object_at(lease, "spec");
    if (spec == nullptr)
        return std::nullopt;
    for (const char* name : {"acquireTime", "renewTime"})
        if (spec->contains(name) && !is_micro_time(text_at(*spec, {name})))
            return Refusal{400, "BadRequest", std::string("Lease: parsing time of ") + name};
    if (const auto* duration = spec->if_contains("leaseDurationSeconds"))
        if (!duration->is_int64() || duration->get_int64() <= 0)
            return invalid("Lease", "spec.leaseDurationSeconds: must be greater than 0");
    if (const auto* count = spec->if_contains("leaseTransitions"))
        if (!count->is_int64() || count->get_int64() < 0)
            return invalid("Lease", "spec.leaseTransitions: must be greater than or equal to 0");
    return std::nullopt;
}

std::optional<Refusal> refuse_event(const bj::object& event) {
    for (const char* name :
         {"eventTime", "reportingController", "reportingInstance", "reason", "action", "type"})
        if (text_at(event, {name}).empty())
            return invalid("Event", std::string(name) + ": Required value");
    if (!is_micro_time(text_at(event, {"eventTime"})))
        return Refusal{400, "BadRequest", "Event: parsing time of eventTime"};
    if (text_at(event, {"note"}).size() > 1024)
        return invalid("Event", "message: can have at most 1024 characters");
    const bj::object* series = object_at(event, "series");
    const bj::value* count = series == nullptr ? nullptr : series->if_contains("count");
    if (series != nullptr && (count == nullptr || !count->is_int64() || count->get_int64() < 2))
        return invalid("Event", "series.count: should be at least 2");
    return std::nullopt;
}

std::optional<Refusal> refuse_content(std::string_view plural, const bj::object& object) {
    return plural == "leases"   ? refuse_lease(object)
           : plural == "events" ? refuse_event(object)
                                : std::nullopt;
}

// Of an Event only the series changes.
bool same_event(bj::object one, bj::object other) {
    for (const char* free : {"series", "metadata", "kind", "apiVersion"}) {
        one.erase(free);
        other.erase(free);
    }
    return one == other;
}

std::optional<Refusal> refuse_change(std::string_view plural, const bj::object& old,
                                     const bj::object& wanted) {
    if (plural == "events" && !same_event(old, wanted))
        return invalid("Event", "field is immutable");
    return refuse_content(plural, wanted);
}

struct Selector {
    std::string_view field;
    std::string_view value;
    bool equal = true;
};

Selector parse(std::string_view text) {
    const auto sign = text.find('=');
    const bool equal = sign == 0 || text[sign - 1] != '!';
    return {.field = text.substr(0, equal ? sign : sign - 1),
            .value = text.substr(sign + 1),
            .equal = equal};
}

} // namespace

std::string text_at(const bj::object& object, std::initializer_list<std::string_view> path) {
    const bj::value* found = nullptr;
    const bj::object* here = &object;
    for (const auto name : path) {
        if (here == nullptr)
            return {};
        found = here->if_contains(name);
        here = found == nullptr ? nullptr : found->if_object();
    }
    return found != nullptr && found->is_string() ? std::string(found->get_string().c_str())
                                                  : std::string();
}

const bj::object* condition(const bj::object& object, std::string_view type) {
    const bj::object* status = object_at(object, "status");
    const auto* all = status != nullptr ? status->if_contains("conditions") : nullptr;
    if (all != nullptr)
        for (const auto& one : all->as_array())
            if (one.at("type").as_string() == type)
                return &one.as_object();
    return nullptr;
}

bj::object& child(bj::object& parent, std::string_view name) {
    bj::value& value = parent[name];
    if (!value.is_object())
        value.emplace_object();
    return value.get_object();
}

bool has_status(std::string_view plural) {
    return plural == "omniconnections" || plural == "omniinstances";
}

std::optional<Refusal> refuse_place(const bj::object& object, std::string_view ns,
                                    std::string_view name) {
    const std::string own_ns = text_at(object, {"metadata", "namespace"});
    const std::string own_name = text_at(object, {"metadata", "name"});
    if (!own_ns.empty() && own_ns != ns)
        return Refusal{400, "BadRequest",
                       "the namespace of the object does not match the namespace on the URL"};
    if (own_name.empty() && name.empty())
        return invalid("object", "metadata.name: Required value: name is required");
    if (!name.empty() && !own_name.empty() && own_name != name)
        return Refusal{400, "BadRequest",
                       "the name of the object does not match the name on the URL"};
    return std::nullopt;
}

std::optional<Refusal> refuse_creation(std::string_view plural, const bj::object& wanted) {
    if (!text_at(wanted, {"metadata", "resourceVersion"}).empty())
        return Refusal{500, "", "resourceVersion should not be set on objects to be created"};
    return refuse_content(plural, wanted);
}

std::optional<Refusal> refuse_replacement(std::string_view plural, const bj::object& old,
                                          const bj::object& wanted) {
    const std::string version = text_at(wanted, {"metadata", "resourceVersion"});
    const std::string uid = text_at(wanted, {"metadata", "uid"});
    if (!uid.empty() && uid != text_at(old, {"metadata", "uid"}))
        return Refusal{409, "Conflict", "Precondition failed: UID"};
    if (version.empty() && (has_status(plural) || plural == "leases"))
        return invalid(plural, "metadata.resourceVersion: must be specified for an update");
    if (!version.empty() && version != text_at(old, {"metadata", "resourceVersion"}))
        return modified();
    return refuse_change(plural, old, wanted);
}

std::optional<Refusal> refuse_patch(std::string_view plural, const bj::object& old,
                                    const bj::object& change, const bj::object& wanted,
                                    bool of_status) {
    const std::string version = text_at(change, {"metadata", "resourceVersion"});
    const std::string uid = text_at(change, {"metadata", "uid"});
    if (!version.empty() && version != text_at(old, {"metadata", "resourceVersion"}))
        return modified();
    // A patch of the status takes nothing from the metadata, so that a uid in it is no condition.
    if (!of_status && !uid.empty() && uid != text_at(old, {"metadata", "uid"}))
        return invalid(plural, "metadata.uid: field is immutable");
    return refuse_change(plural, old, wanted);
}

void merge_into(bj::object& target, const bj::object& patch) {
    for (const auto& [key, value] : patch) {
        if (value.is_null())
            target.erase(key);
        else if (value.is_object())
            merge_into(child(target, key), value.get_object());
        else
            target[key] = value;
    }
}

std::optional<bj::object> patched(const bj::object& object, const bj::array& operations) {
    bj::value root = object;
    for (const auto& entry : operations) {
        const bj::object& step = entry.as_object();
        const std::string kind = text_at(step, {"op"});
        const std::string path = text_at(step, {"path"});
        const bj::value* value = step.if_contains("value");
        const auto slash = path.rfind('/');
        boost::system::error_code failed;
        auto* parent =
            slash == std::string::npos ? nullptr : root.find_pointer(path.substr(0, slash), failed);
        if (parent == nullptr || !parent->is_object() || (kind != "remove" && value == nullptr))
            return std::nullopt;
        bj::object& members = parent->get_object();
        const std::string name = path.substr(slash + 1);
        const bj::value* there = members.if_contains(name);
        if (kind != "add" && there == nullptr)
            return std::nullopt;
        if (kind == "test" && *there != *value)
            return std::nullopt;
        if (kind == "remove" || (kind != "test" && value->is_null()))
            members.erase(name);
        else if (kind == "add" || kind == "replace")
            members[name] = *value;
    }
    return std::move(root.get_object());
}

std::optional<Refusal> refuse_selector(std::string_view plural, std::string_view selector) {
    if (selector.empty())
        return std::nullopt;
    const bool known = selector.find('=') != std::string_view::npos && [&] {
        const auto field = parse(selector).field;
        return field == "metadata.name" || field == "metadata.namespace" ||
               (field == "type" && plural == "secrets");
    }();
    return known ? std::nullopt
                 : std::optional(Refusal{400, "BadRequest", "field label not supported"});
}

bool selected(const bj::object& object, std::string_view selector) {
    if (selector.empty())
        return true;
    const Selector wanted = parse(selector);
    const std::string actual = wanted.field == "type"
                                   ? text_at(object, {"type"})
                                   : text_at(object, {"metadata", wanted.field.substr(9)});
    return (actual == wanted.value) == wanted.equal;
}

} // namespace oco::sim
