// A Reconciliation's values: what is wanted, what Omni lacks of it, and what it refused before.
#include "base/digest.hpp"
#include "base/mutation.hpp"
#include "reconcile/connection/reconciliation.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <array>
#include <utility>

namespace oco::reconcile {
namespace {

using omni::Field;

// Secrets that are nobody's warehouse credential; sending one away would hand over the cluster.
constexpr std::array<std::string_view, 3> refused_secret_types{
    "kubernetes.io/service-account-token", "bootstrap.kubernetes.io/token", "helm.sh/release.v1"};

std::string_view digest_label(omni::CredentialKind kind) {
    switch (kind) {
    case omni::CredentialKind::password:
        return "credential/password";
    case omni::CredentialKind::bigquery_service_account:
        return "credential/bigQueryServiceAccount";
    case omni::CredentialKind::snowflake_private_key:
        return "credential/snowflakePrivateKey";
    }
    return {};
}

std::string canonical(const omni::EnvironmentUserAttribute& attribute) {
    json::Writer writer;
    writer.begin_array();
    writer.value(attribute.state == omni::EnvironmentUserAttribute::State::present);
    writer.value(attribute.attribute_name);
    for (const auto& value : attribute.default_values)
        writer.value(value);
    writer.end_array();
    return writer.str();
}

Result<omni::PreparedCredential> prepare(omni::CredentialKind kind, const SecretBytes& raw,
                                         const SecretBytes* passphrase) {
    switch (kind) {
    case omni::CredentialKind::password:
        return omni::prepare_password(raw);
    case omni::CredentialKind::bigquery_service_account:
        return omni::prepare_service_account(raw);
    case omni::CredentialKind::snowflake_private_key:
        return omni::prepare_private_key(raw, passphrase);
    }
    return make_error(ErrorClass::invalid, "unknown kind of credential");
}

// On a thread of the pool; so all comes by value.
asio::awaitable<Result<omni::PreparedCredential>> prepare_aside(SecretBytes pem,
                                                                SecretBytes passphrase) {
    co_return omni::prepare_private_key(pem, passphrase.empty() ? nullptr : &passphrase);
}

} // namespace

bool Reconciliation::forced(Field field) const {
    const std::string& token = object_->force_requested_at;
    const bool done = state_.force_token == token && state_.forced.contains(field);
    return !token.empty() && token != status_.last_handled_force_at && !done;
}

// An attempt whose outcome is unknown differs from every value, and so does one that settles.
bool Reconciliation::differs(Field field, const std::string& held_digest) const {
    if (state_.unknown.contains(field) && !state_.settling.contains(field))
        return true;
    if (const auto it = state_.settling.find(field); it != state_.settling.end())
        return it->second.digest != digests_.at(field) || services_.runtime.now() >= it->second.due;
    return forced(field) || held_digest != digests_.at(field);
}

asio::awaitable<void> Reconciliation::examine_credential() {
    const api::CredentialSpec& spec = *object_->credential;
    const ObjectKey secret{.ns = object_->meta.key.ns, .name = spec.secret.name};
    auto& applied = status_.applied.credential;
    const auto watched = owner_.caches_.secrets.get(secret);
    const bool same_reference = applied && applied->secret_name == spec.secret.name &&
                                applied->secret_key == spec.secret.key;
    const bool repush = applied && spec.repush_interval.count() > 0 && [&] {
        const auto pushed = parse_rfc3339(applied->pushed_at);
        return !pushed || *pushed + spec.repush_interval <= services_.runtime.wall_now();
    }();
    if (same_reference && watched && watched->meta.uid == applied->secret_uid &&
        watched->meta.resource_version == applied->secret_resource_version &&
        applied->key_id == services_.digest_key.id && !forced(Field::credential) && !repush &&
        !state_.unknown.contains(Field::credential)) {
        digests_[Field::credential] = applied->digest;
        state_.compared = true;
        state_.secret_changed_at.reset();
        co_return;
    }
    // The first read may come from the API server's cache, as new as the event; a retry must see
    // the newest there is, and nothing may be older than what was read before.
    const bool cache_will_do =
        watched && state_.failures == 0 &&
        (owner_.unseen_.watch_is_current(secret, watched->meta.resource_version) ||
         mutated("stale-read"));
    const std::string at_least = cache_will_do ? watched->meta.resource_version : std::string();
    std::vector<std::string> wanted{spec.secret.key};
    if (!spec.passphrase_key.empty())
        wanted.push_back(spec.passphrase_key);
    auto read = co_await kube::read_secret(services_.kube, secret, std::move(wanted), at_least);
    if (!read) {
        Outcome why = secret_outcome(read.error(), secret);
        if (why.readiness == Readiness::progressing)
            why.requeue_at = services_.runtime.now() + std::chrono::seconds(2);
        problems_.push_back(std::move(why));
        co_return;
    }
    const auto seen = owner_.caches_.secrets.get(secret);
    owner_.unseen_.note_read(secret, read->meta.resource_version,
                             seen ? seen->meta.resource_version : std::string());
    if (!watched)
        owner_.hooks_.secret_seen(read->meta);
    const bool forbidden_type =
        std::ranges::find(refused_secret_types, read->type) != refused_secret_types.end() ||
        (secret.ns == services_.settings.operator_namespace && secret.name == digest_key_secret);
    if (forbidden_type) {
        problems_.push_back(outcome(reason::invalid_credential,
                                    "Secret " + secret.str() + " is of type " + read->type +
                                        ", which is never sent anywhere; name a Secret that holds "
                                        "the warehouse's credential"));
        co_return;
    }
    const auto value = read->values.find(spec.secret.key);
    if (value == read->values.end()) {
        problems_.push_back(missing_key_outcome(secret, spec.secret.key));
        co_return;
    }
    compare_credential(*read, value->second);
    if (repush)
        pending_.insert(Field::credential);
    read_ = std::move(*read);
}

void Reconciliation::compare_credential(const kube::SecretRead& read, const SecretBytes& value) {
    auto& applied = status_.applied.credential;
    const std::string digest = keyed_digest(
        services_.digest_key.bytes, {object_->meta.uid, target_.host, target_.connection_id,
                                     digest_label(object_->credential->kind), value.expose()});
    digests_[Field::credential] = digest;
    if (applied && applied->key_id != services_.digest_key.id) {
        // Another digest key: only an unchanged Secret proves an unchanged value.
        if (applied->secret_uid == read.meta.uid &&
            applied->secret_resource_version == read.meta.resource_version) {
            applied->digest = digest;
            applied->key_id = services_.digest_key.id;
        } else {
            applied.reset();
        }
    }
    // A process that ended without a word may have sent an older value after the one in the status,
    // if the Secret was touched since.
    const bool distrusted = !std::exchange(state_.compared, true) && applied &&
                            !services_.leadership.all_is_recorded() &&
                            (applied->secret_uid != read.meta.uid ||
                             applied->secret_resource_version != read.meta.resource_version);
    if (distrusted)
        applied.reset();
    const bool touched = mutated("version-is-value") && applied &&
                         applied->secret_resource_version != read.meta.resource_version;
    if (touched || differs(Field::credential, applied ? applied->digest : std::string())) {
        pending_.insert(Field::credential);
        return;
    }
    if (applied && applied->digest == digest) { // at another version, or under another name
        applied->secret_name = object_->credential->secret.name;
        applied->secret_key = object_->credential->secret.key;
        applied->secret_uid = read.meta.uid;
        applied->secret_resource_version = read.meta.resource_version;
        applied->rotation_id = read.rotation_id;
    }
    state_.secret_changed_at.reset();
}

void Reconciliation::examine_settings() {
    const auto digest_of = [&](Field field, std::string_view value) {
        return keyed_digest(
            services_.digest_key.bytes,
            {object_->meta.uid, target_.host, target_.connection_id, omni::name(field), value});
    };
    if (held_.contains(Field::base_role)) {
        const auto& applied = status_.applied.base_role;
        digests_[Field::base_role] = digest_of(Field::base_role, *object_->base_role);
        if (differs(Field::base_role,
                    applied ? digest_of(Field::base_role, applied->value) : std::string()))
            pending_.insert(Field::base_role);
    }
    if (held_.contains(Field::environment_user_attribute)) {
        constexpr Field field = Field::environment_user_attribute;
        const auto& applied = status_.applied.environment_user_attribute;
        digests_[field] = digest_of(field, canonical(*object_->environment_user_attribute));
        if (differs(field, applied ? digest_of(field, canonical(applied->value)) : std::string()))
            pending_.insert(field);
    }
}

// After a restart only the status knows what Omni refused: the set of fields whose values give the
// same digest.
void Reconciliation::recall_rejection() {
    if (!status_.rejected)
        return;
    if (status_.rejected->generation != object_->meta.generation) {
        status_.rejected.reset();
        return;
    }
    if (!state_.refusals.empty())
        return;
    const std::vector<Field> pending(pending_.begin(), pending_.end());
    for (unsigned mask = 1; mask < (1U << pending.size()); ++mask) {
        FieldSet subset;
        for (std::size_t i = 0; i < pending.size(); ++i)
            if ((mask & (1U << i)) != 0)
                subset.insert(pending[i]);
        if (combined_digest(digests_, subset) != status_.rejected->digest)
            continue;
        for (const Field field : subset)
            state_.refusals.add(combined_digest(digests_, {field}));
        const auto* ready = kube::find_condition(status_.conditions, "Ready");
        state_.refusal_message =
            ready != nullptr && ready->reason == reason::rejected
                ? ready->message
                : "Omni refused these values before; change the spec or the Secret";
        return;
    }
}

asio::awaitable<void> Reconciliation::prepare_credential() {
    const api::CredentialSpec& spec = *object_->credential;
    const SecretBytes& raw = read_->values.at(spec.secret.key);
    const auto phrase = read_->values.find(spec.passphrase_key);
    const bool has_phrase = !spec.passphrase_key.empty() && phrase != read_->values.end();
    const ObjectKey secret = read_->meta.key;
    if (!spec.passphrase_key.empty() && !has_phrase) {
        problems_.push_back(missing_key_outcome(secret, spec.passphrase_key));
        pending_.erase(Field::credential);
        co_return;
    }
    const bool slow = spec.kind == omni::CredentialKind::snowflake_private_key && has_phrase &&
                      omni::needs_key_derivation(raw);
    auto prepared =
        slow ? co_await asio::co_spawn(services_.offload.get_executor(),
                                       prepare_aside(raw.clone(), phrase->second.clone()),
                                       asio::use_awaitable)
             : prepare(spec.kind, raw, has_phrase ? &phrase->second : nullptr);
    if (!prepared) {
        problems_.push_back(outcome(reason::invalid_credential,
                                    "Secret " + secret.str() + ", key \"" + spec.secret.key +
                                        "\": " + prepared.error().message));
        pending_.erase(Field::credential);
        co_return;
    }
    credential_ = std::move(*prepared);
}

} // namespace oco::reconcile
