#include "secret_book.hpp"

#include "base/base64.hpp"
#include "marks.hpp"

#include <utility>

namespace oco::sim {

Name SecretBook::name_of(const std::string& ns, int object, int which) {
    return {ns, "db-" + std::to_string(object) + (which == 0 ? "-a" : "-b")};
}

void SecretBook::write(const Name& secret, const std::string& value) {
    Content& content = contents_[secret];
    if (content.value != value)
        content.previous = std::exchange(content.value, value);
    written_(secret, value);
    kube_.apply(
        "secrets", secret.first, secret.second,
        {{"type", "Opaque"},
         {"metadata",
          bj::object{{"annotations",
                      bj::object{{"kubectl.kubernetes.io/last-applied-configuration", value},
                                 {"omniconnection.io/rotation-id", content.rotation_id}}}}},
         {"data", bj::object{{"password", base64::encode(value)}}}});
}

void SecretBook::rotate(const Name& secret, int object) {
    ++rotations;
    contents_[secret].rotation_id = "rotation-" + next_note();
    write(secret, marked_credential(object, next_note() + "-" + std::to_string(dice_.bits())));
}

void SecretBook::turn_back(const Name& secret) {
    const auto known = contents_.find(secret);
    if (known == contents_.end() || known->second.previous.empty())
        return;
    known->second.rotation_id = "rotation-" + next_note();
    write(secret, std::string(known->second.previous));
}

void SecretBook::restore(const Name& secret) {
    write(secret, std::string(contents_.at(secret).value));
}

void SecretBook::remove(const Name& secret) {
    kube_.remove("secrets", secret.first, secret.second);
}

void SecretBook::label(const Name& secret) {
    kube_.merge("secrets", secret.first, secret.second,
                {{"metadata", bj::object{{"labels", bj::object{{"note", next_note()}}}}}});
}

void SecretBook::change_other_key(const Name& secret) {
    kube_.merge("secrets", secret.first, secret.second,
                {{"data", bj::object{{"other", base64::encode(next_note())}}}});
}

void SecretBook::change_rotation_id(const Name& secret) {
    Content& content = contents_[secret];
    content.rotation_id = "rotation-" + next_note();
    kube_.merge(
        "secrets", secret.first, secret.second,
        {{"metadata", bj::object{{"annotations", bj::object{{"omniconnection.io/rotation-id",
                                                             content.rotation_id}}}}}});
}

std::string SecretBook::value(const Name& secret) const {
    const auto known = contents_.find(secret);
    return known == contents_.end() ? std::string() : known->second.value;
}

} // namespace oco::sim
