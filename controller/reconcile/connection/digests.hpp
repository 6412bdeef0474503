// Digests of wanted values, under the operator's digest key: they tell whether a value changed, and
// nothing about it. Each covers the object and the target, so that no two objects and no two
// connections have one in common.
#pragma once

#include "reconcile/cluster/digest_key.hpp"
#include "reconcile/cluster/ownership.hpp"

#include <map>
#include <string>

namespace oco::reconcile {

using Digests = std::map<omni::Field, std::string>;

std::string credential_digest(const DigestKey& key, const std::string& uid, const Target& target,
                              omni::CredentialKind kind, const SecretBytes& value);
std::string base_role_digest(const DigestKey& key, const std::string& uid, const Target& target,
                             const std::string& role);
std::string environment_digest(const DigestKey& key, const std::string& uid, const Target& target,
                               const omni::EnvironmentUserAttribute& attribute);

} // namespace oco::reconcile
