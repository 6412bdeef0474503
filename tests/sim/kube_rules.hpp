// What the API server refuses of an object, by its kind; and which objects a selector selects.
// Pure. Only what the operator could get wrong: no schemas.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

namespace oco::sim {

namespace bj = boost::json;

struct Refusal {
    int code;
    std::string_view reason;
    std::string message;
};

// The string at this path, or an empty one.
std::string text_at(const bj::object& object, std::initializer_list<std::string_view> path);
// The condition of this type in the object's status; null: there is none.
const bj::object* condition(const bj::object& object, std::string_view type);
// The member, which becomes an object if it is none.
bj::object& child(bj::object& parent, std::string_view name);

// Whether the kind has a spec with a generation, and a status as a subresource.
bool has_status(std::string_view plural);

// An object that is sent to the place of `ns` and `name` (empty: to the collection).
std::optional<Refusal> refuse_place(const bj::object& object, std::string_view ns,
                                    std::string_view name);
std::optional<Refusal> refuse_creation(std::string_view plural, const bj::object& wanted);
std::optional<Refusal> refuse_replacement(std::string_view plural, const bj::object& old,
                                          const bj::object& wanted);
// `change` is the patch, `wanted` what becomes of the object.
std::optional<Refusal> refuse_patch(std::string_view plural, const bj::object& old,
                                    const bj::object& change, const bj::object& wanted,
                                    bool of_status);

// RFC 7386, in place.
void merge_into(bj::object& target, const bj::object& patch);
// RFC 6902, for members of objects; nullopt when a test fails or a path leads nowhere. As in a
// structural schema, null is no value.
std::optional<bj::object> patched(const bj::object& object, const bj::array& operations);

// `type!=helm.sh/release.v1` and the like.
std::optional<Refusal> refuse_selector(std::string_view plural, std::string_view selector);
bool selected(const bj::object& object, std::string_view selector);

} // namespace oco::sim
