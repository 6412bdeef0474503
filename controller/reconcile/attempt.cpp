#include "reconcile/attempt.hpp"

#include "base/digest.hpp"
#include "base/log.hpp"
#include "base/text.hpp"
#include "rt/backoff.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <array>

namespace oco::reconcile {
namespace {

using omni::Field;

constexpr rt::BackoffPolicy push_backoff{.first = std::chrono::seconds(1),
                                         .longest = std::chrono::minutes(5)};
constexpr rt::Duration slow_probe_interval = std::chrono::minutes(10);
constexpr rt::Duration settling_time = std::chrono::seconds(60);

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

std::string_view push_result(const Error& error) {
    switch (error.kind) {
    case ErrorClass::refused:
    case ErrorClass::invalid:
        return "rejected";
    case ErrorClass::unauthorized:
    case ErrorClass::forbidden:
    case ErrorClass::not_found:
        return "refused";
    case ErrorClass::rate_limited:
        return "rate_limited";
    default:
        return error.sent == Sent::maybe && error.http_status == 0 ? "unknown" : "unavailable";
    }
}

} // namespace

Attempt::Attempt(ConnectionReconciler& owner, Object object, Memory& memory)
    : owner_(owner), services_(owner.services_), object_(std::move(object)), memory_(memory),
      status_(memory.status) {}

std::string Attempt::wall_text(rt::TimePoint when) const {
    const auto from_now = std::chrono::duration_cast<std::chrono::system_clock::duration>(
        when - services_.runtime.now());
    return format_rfc3339(services_.runtime.wall_now() + from_now);
}

asio::awaitable<Outcome> Attempt::run() {
    if (memory_.generation != object_->meta.generation) memory_.lookup_since.reset();
    if (auto end = find_instance()) co_return *end;
    if (auto end = find_target()) co_return *end;
    find_holdings();
    memory_.refusals.at_generation(object_->meta.generation);
    keep_applicable(status_.applied, target_, held_);
    if (held_.contains(Field::credential)) co_await examine_credential();
    examine_settings();
    recall_rejection();
    if (!pending_.empty() && !memory_.pending_since)
        memory_.pending_since = services_.runtime.now();
    if (object_->suspend || instance_->suspend) {
        if (pending_.empty()) co_return conclude();
        Outcome suspended =
            outcome(reason::suspended, object_->suspend
                                           ? "spec.suspend is true, and changes wait to be sent"
                                           : "the OmniInstance is suspended, and changes wait");
        suspended.shape = Shape::stalled;
        co_return suspended;
    }
    if (!instance_state_->usable) co_return instance_not_ready();
    if (pending_.empty()) co_return conclude();
    if (auto end = check_dialect()) co_return *end;
    if (pending_.contains(Field::credential)) co_await prepare_credential();
    const Choice choice = choose(pending_, digests_, memory_.refusals);
    choice_ = choice.send;
    if (!choice.blocked.empty())
        problems_.push_back(outcome(reason::rejected, memory_.refusal_message));
    if (choice_.empty()) co_return conclude();
    if (auto end = check_patience()) co_return *end;
    co_return co_await push();
}

// --- where -----------------------------------------------------------------------------------

Attempt::Step Attempt::find_instance() {
    const ObjectKey& key = object_->instance;
    const bool foreign = key.ns != object_->meta.key.ns;
    if (!owner_.world_.watches(key.ns, services_.settings))
        return outcome(reason::namespace_not_allowed,
                       "namespace " + key.ns +
                           " of the OmniInstance is not watched by this operator (--namespace)");
    instance_ = owner_.world_.instances.get(key);
    const bool allowed =
        instance_ && namespace_allowed(owner_.world_, *instance_, object_->meta.key.ns);
    if (foreign && !allowed) // absent and not allowed read alike
        return outcome(reason::namespace_not_allowed,
                       "there is no OmniInstance " + key.str() + " that allows namespace " +
                           object_->meta.key.ns + " (spec.allowedNamespaces)");
    if (!instance_)
        return outcome(reason::instance_not_found, "OmniInstance " + key.str() +
                                                       " does not exist; create it, or correct "
                                                       "spec.instanceRef");
    instance_state_ = owner_.instances_.find(key);
    if (instance_state_ == nullptr || instance_state_->uid != instance_->meta.uid) {
        Outcome waiting = outcome(reason::progressing, "the OmniInstance is being looked at");
        waiting.momentary = true;
        return waiting;
    }
    return std::nullopt;
}

// The instance's shape and message; a refused key and a spent budget keep their own reason.
Outcome Attempt::instance_not_ready() const {
    const Outcome& theirs = instance_state_->outcome;
    if (theirs.reason == reason::unauthorized || theirs.reason == reason::rate_limited)
        return outcome(theirs.reason, theirs.message);
    Outcome copy =
        outcome(reason::instance_not_ready, "OmniInstance " + instance_->meta.key.str() + " is " +
                                                theirs.reason + ": " + theirs.message);
    copy.shape = theirs.shape == Shape::ready ? Shape::progressing : theirs.shape;
    copy.momentary = theirs.reason == reason::progressing;
    return copy;
}

Attempt::Step Attempt::find_target() {
    auto url = parse_base_url(instance_->base_url);
    if (!url) return outcome(reason::host_not_allowed, url.error().message);
    const std::string host = url->label();
    if (!object_->connection_id.empty()) {
        status_.connection_id = object_->connection_id;
    } else if (status_.applied.target.host != host ||
               memory_.generation != object_->meta.generation || status_.connection_id.empty()) {
        if (auto end = resolve_name()) return end;
    }
    const std::string& id = status_.connection_id;
    target_ = {.host = host, .connection_id = id};
    if (instance_->allowed_connections && !instance_->allowed_connections->contains(id))
        return outcome(reason::connection_not_allowed,
                       "OmniInstance " + instance_->meta.key.str() +
                           " does not allow this connection (spec.allowedConnections)");
    if (status_.applied.target != target_) {
        status_.dialect.clear();
        status_.rejected.reset();
        memory_.unknown.clear();
        memory_.settling.clear();
        memory_.refusals = {};
        memory_.not_found_at.reset();
        memory_.key_refused_at.reset();
        status_.applied = {.target = target_};
    }
    return std::nullopt;
}

// A name is looked up once, and pinned: what it means in Omni may change hands.
Attempt::Step Attempt::resolve_name() {
    const Directory& directory = instance_state_->directory;
    if (directory.refused)
        return outcome(reason::forbidden, "the key may not list connections, so that "
                                          "spec.connectionName cannot be resolved; use "
                                          "spec.connectionID");
    std::vector<std::string> matches;
    for (const auto& [id, info] : directory.by_id) {
        const bool visible =
            !instance_->allowed_connections || instance_->allowed_connections->contains(id);
        if (!info.deleted && visible && info.name == object_->connection_name)
            matches.push_back(id);
    }
    if (matches.size() == 1) {
        status_.connection_id = matches.front();
        return std::nullopt;
    }
    if (matches.size() > 1)
        return slow_probe(outcome(reason::connection_name_ambiguous,
                                  std::to_string(matches.size()) +
                                      " connections have this spec.connectionName; use "
                                      "spec.connectionID"));
    status_.connection_id.clear();
    return look_up_connection();
}

// Asks for a list that is read from now on; ends with ConnectionNotFound once one came.
Attempt::Step Attempt::look_up_connection() {
    const Directory& directory = instance_state_->directory;
    const auto now = services_.runtime.now();
    const bool fresh =
        memory_.lookup_since && directory.read_at && *directory.read_at >= *memory_.lookup_since;
    if (!instance_state_->usable) return instance_not_ready();
    if (!fresh) {
        if (!memory_.lookup_since) {
            memory_.lookup_since = now;
            owner_.instances_.want_directory(instance_->meta.key);
        }
        Outcome waiting = outcome(reason::progressing, "the list of connections is being read");
        waiting.momentary = true;
        return waiting;
    }
    if (now >= *directory.read_at + slow_probe_interval) {
        memory_.lookup_since = now;
        owner_.instances_.want_directory(instance_->meta.key);
    }
    const std::string what =
        object_->connection_name.empty() ? "spec.connectionID" : "spec.connectionName";
    Outcome missing =
        slow_probe(outcome(reason::connection_not_found,
                           "Omni has no connection with this " + what + " that the key may see"));
    return missing;
}

void Attempt::find_holdings() {
    owner_.hooks_.claim(*object_, target_); // a name may have been resolved just now
    for (const Field field : managed_fields(*object_)) {
        const ObjectKey* holder = owner_.world_.claims.holder(target_, field);
        if (holder == nullptr || *holder == object_->meta.key) {
            held_.insert(field);
            continue;
        }
        const std::string other = holder->ns == object_->meta.key.ns
                                      ? "OmniConnection " + holder->name
                                      : "an older OmniConnection of another namespace";
        problems_.push_back(outcome(reason::connection_conflict,
                                    other + " manages " + std::string(omni::name(field)) +
                                        " of the same connection; delete one of the two, or take "
                                        "the field out of one"));
    }
}

// --- what ------------------------------------------------------------------------------------

bool Attempt::forced() const {
    return !object_->force_requested_at.empty() &&
           object_->force_requested_at != status_.last_handled_force_at;
}

// An attempt whose outcome is unknown differs from every value, and so does one that settles.
bool Attempt::differs(Field field, const std::string& held_digest) const {
    if (memory_.unknown.contains(field) && !memory_.settling.contains(field)) return true;
    if (const auto it = memory_.settling.find(field); it != memory_.settling.end())
        return it->second.digest != digests_.at(field) || services_.runtime.now() >= it->second.due;
    return forced() || held_digest != digests_.at(field);
}

asio::awaitable<void> Attempt::examine_credential() {
    const api::CredentialSpec& spec = *object_->credential;
    const ObjectKey secret{.ns = object_->meta.key.ns, .name = spec.secret.name};
    auto& applied = status_.applied.credential;
    const auto watched = owner_.world_.secrets.get(secret);
    const bool same_reference = applied && applied->secret_name == spec.secret.name &&
                                applied->secret_key == spec.secret.key;
    const bool repush = applied && spec.repush_interval.count() > 0 && [&] {
        const auto pushed = parse_rfc3339(applied->pushed_at);
        return !pushed || *pushed + spec.repush_interval <= services_.runtime.wall_now();
    }();
    if (same_reference && watched && watched->meta.uid == applied->secret_uid &&
        watched->meta.resource_version == applied->secret_resource_version &&
        applied->key_id == services_.digest_key.id && !forced() && !repush &&
        !memory_.unknown.contains(Field::credential)) {
        digests_[Field::credential] = applied->digest;
        memory_.secret_changed_at.reset();
        co_return;
    }
    // The first read may come from the API server's cache, as new as the event; a retry must see
    // the newest there is.
    const std::string at_least =
        watched && memory_.failures == 0 ? watched->meta.resource_version : std::string();
    std::vector<std::string> wanted{spec.secret.key};
    if (!spec.passphrase_key.empty()) wanted.push_back(spec.passphrase_key);
    auto read = co_await kube::read_secret(services_.kube, secret, std::move(wanted), at_least);
    if (!read) {
        Outcome why = secret_outcome(read.error(), secret);
        if (why.shape == Shape::progressing)
            why.again = services_.runtime.now() + std::chrono::seconds(2);
        problems_.push_back(std::move(why));
        co_return;
    }
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
    if (repush) pending_.insert(Field::credential);
    read_ = std::move(*read);
}

void Attempt::compare_credential(const kube::SecretRead& read, const SecretBytes& value) {
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
    if (differs(Field::credential, applied ? applied->digest : std::string())) {
        pending_.insert(Field::credential);
        return;
    }
    if (applied) { // the same value at another version, or under another name
        applied->secret_name = object_->credential->secret.name;
        applied->secret_key = object_->credential->secret.key;
        applied->secret_uid = read.meta.uid;
        applied->secret_resource_version = read.meta.resource_version;
        applied->rotation_id = read.rotation_id;
    }
    memory_.secret_changed_at.reset();
}

void Attempt::examine_settings() {
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
void Attempt::recall_rejection() {
    if (!status_.rejected) return;
    if (status_.rejected->generation != object_->meta.generation) {
        status_.rejected.reset();
        return;
    }
    if (!memory_.refusals.empty()) return;
    const std::vector<Field> pending(pending_.begin(), pending_.end());
    for (unsigned mask = 1; mask < (1U << pending.size()); ++mask) {
        FieldSet subset;
        for (std::size_t i = 0; i < pending.size(); ++i)
            if ((mask & (1U << i)) != 0) subset.insert(pending[i]);
        if (combined_digest(digests_, subset) != status_.rejected->digest) continue;
        for (const Field field : subset)
            memory_.refusals.add(combined_digest(digests_, {field}));
        const auto* ready = kube::find_condition(status_.conditions, "Ready");
        memory_.refusal_message =
            ready != nullptr && ready->reason == reason::rejected
                ? ready->message
                : "Omni refused these values before; change the spec or the Secret";
        return;
    }
}

// --- whether now -----------------------------------------------------------------------------

Attempt::Step Attempt::check_dialect() {
    const Directory& directory = instance_state_->directory;
    const auto known = directory.by_id.find(target_.connection_id);
    if (known != directory.by_id.end() && !known->second.deleted)
        status_.dialect = known->second.dialect;
    if (memory_.not_found_at) {
        const bool back = known != directory.by_id.end() && !known->second.deleted &&
                          directory.read_at && *directory.read_at > *memory_.not_found_at;
        if (!back && !directory.refused) return look_up_connection();
        memory_.not_found_at.reset();
        memory_.lookup_since.reset();
    }
    if (!pending_.contains(Field::credential) || directory.refused) return std::nullopt;
    if (status_.dialect.empty()) {
        if (known == directory.by_id.end() || known->second.deleted) return look_up_connection();
        // Omni told no dialect: nothing can be checked.
    }
    memory_.lookup_since.reset();
    if (auto fits = omni::matches_dialect(object_->credential->kind, status_.dialect); !fits) {
        problems_.push_back(outcome(reason::credential_kind_mismatch, fits.error().message));
        pending_.erase(Field::credential);
    }
    return std::nullopt;
}

asio::awaitable<void> Attempt::prepare_credential() {
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

std::string Attempt::attempt_signature() const {
    std::string text = std::to_string(object_->meta.generation) + object_->reconcile_requested_at +
                       object_->force_requested_at + instance_state_->session_identity;
    for (const auto& [field, digest] : digests_)
        text += digest;
    return fingerprint(text, 16);
}

Attempt::Step Attempt::check_patience() {
    const auto now = services_.runtime.now();
    const std::string signature = attempt_signature();
    const bool unchanged = memory_.attempt.empty() || memory_.attempt == signature;
    memory_.attempt = signature;
    if (!unchanged) {
        memory_.failures = 0;
        memory_.next_attempt.reset();
        memory_.key_refused_at.reset();
    }
    if (memory_.key_refused_at) {
        const auto& verified = instance_state_->key_verified_at;
        if (!verified || *verified <= *memory_.key_refused_at) {
            Outcome waiting =
                outcome(reason::progressing, "Omni refused; the key is being checked");
            waiting.momentary = true;
            return waiting;
        }
        if (now < *memory_.key_refused_at + slow_probe_interval)
            return slow_probe(outcome(reason::forbidden,
                                      "the key is good, but may not change this connection; give "
                                      "it Connection Admin there. " +
                                          memory_.key_refused_message));
        memory_.key_refused_at.reset();
    }
    if (!memory_.next_attempt || now >= *memory_.next_attempt) return std::nullopt;
    Outcome waiting =
        memory_.outcome.reason.empty()
            ? outcome(reason::progressing, "an attempt failed before; waiting to retry")
            : memory_.outcome;
    waiting.again = memory_.next_attempt;
    return waiting;
}

Outcome Attempt::slow_probe(Outcome outcome) {
    outcome.again = services_.runtime.now() + slow_probe_interval;
    return outcome;
}

Outcome Attempt::retry_later(std::string_view reason, std::string message) {
    ++memory_.failures;
    memory_.next_attempt =
        services_.runtime.now() + rt::backoff(services_.runtime, push_backoff, memory_.failures);
    Outcome out = outcome(reason, std::move(message));
    out.again = memory_.next_attempt;
    return out;
}

Outcome Attempt::conclude() {
    std::optional<rt::TimePoint> settling_due;
    for (const auto& [field, settling] : memory_.settling)
        settling_due = std::min(settling_due.value_or(settling.due), settling.due);
    if (!problems_.empty()) {
        // What a person must change is told before what heals by itself.
        Outcome worst = *std::ranges::max_element(
            problems_, {}, [](const Outcome& o) { return static_cast<int>(o.shape); });
        if (settling_due)
            worst.again = std::min(worst.again.value_or(*settling_due), *settling_due);
        return worst;
    }
    memory_.pending_since.reset();
    memory_.failures = 0;
    memory_.next_attempt.reset();
    if (settling_due) {
        Outcome waiting = outcome(reason::progressing,
                                  "sent; it is sent once more, since an earlier attempt went "
                                  "unanswered and may still arrive");
        waiting.again = settling_due;
        return waiting;
    }
    if (object_->suspend)
        return outcome(reason::suspended, "spec.suspend is true; nothing waits to be sent");
    Outcome done = outcome(reason::synced, "Omni holds what the spec and the Secret say");
    if (object_->credential && object_->credential->repush_interval.count() > 0 &&
        status_.applied.credential) {
        const auto pushed = parse_rfc3339(status_.applied.credential->pushed_at);
        const auto due =
            pushed.value_or(services_.runtime.wall_now()) + object_->credential->repush_interval;
        done.again = services_.runtime.now() + (due - services_.runtime.wall_now());
    }
    return done;
}

// --- the PATCH -------------------------------------------------------------------------------

omni::Update Attempt::make_update(const FieldSet& fields) {
    omni::Update update;
    if (fields.contains(Field::credential)) {
        SecretBytes value = credential_->value.clone();
        if (object_->credential->kind == omni::CredentialKind::snowflake_private_key)
            update.private_key = std::move(value);
        else
            update.password = std::move(value);
    }
    if (fields.contains(Field::base_role)) update.base_role = object_->base_role;
    if (fields.contains(Field::environment_user_attribute))
        update.environment_user_attribute = object_->environment_user_attribute;
    return update;
}

asio::awaitable<Outcome> Attempt::push() {
    const ObjectKey key = object_->meta.key;
    const auto session = instance_state_->session;
    if (!owner_.in_flight_.enter(target_, key)) {
        Outcome waiting =
            outcome(reason::progressing, "another field of the connection is being sent");
        waiting.momentary = true;
        co_return waiting;
    }
    const auto priority =
        choice_.contains(Field::credential) ? work::Priority::credential : work::Priority::settings;
    const auto slot = session->gate->enter(key.str(), priority,
                                           [&owner = owner_, key] { owner.hooks_.again(key); });
    if (!slot) {
        for (const auto& other : owner_.in_flight_.leave(target_))
            owner_.hooks_.again(other);
        co_return outcome(reason::rate_limited,
                          "waiting for a free slot of the key's requests per minute");
    }
    const FieldSet fields = choice_;
    const auto unknown_before = memory_.unknown;
    for (const Field field : fields)
        memory_.unknown[field] = digests_.at(field);
    auto answer = co_await call(session, make_update(fields));
    std::optional<Error> failure;
    if (!answer) failure = answer.error();
    settle_slot(services_, *session->gate, *slot, failure, instance_->meta.key);
    for (const auto& other : owner_.in_flight_.leave(target_))
        owner_.hooks_.again(other);
    for (const Field field : fields)
        services_.metrics.push(instance_->meta.key.str(), omni::name(field),
                               failure ? push_result(*failure) : "success");

    const bool outcome_known = !failure || failure->sent == Sent::no;
    if (outcome_known)
        for (const Field field : fields) {
            const auto before = unknown_before.find(field);
            if (before == unknown_before.end())
                memory_.unknown.erase(field);
            else
                memory_.unknown[field] = before->second;
        }
    if (failure) co_return note_failed(fields, *failure);
    note_accepted(fields);
    Outcome done = conclude();
    const FieldSet left = [&] {
        FieldSet out = pending_;
        for (const Field field : fields)
            out.erase(field);
        return out;
    }();
    if (!left.empty()) { // the rest was refused together with these: find out which it is
        for (const Field field : culprit(pending_, fields, digests_, memory_.refusals))
            memory_.refusals.add(combined_digest(digests_, {field}));
        FieldSet refused;
        for (const Field field : left)
            if (memory_.refusals.contains(combined_digest(digests_, {field})))
                refused.insert(field);
        if (refused == left) {
            status_.rejected = api::Rejected{.generation = object_->meta.generation,
                                             .digest = combined_digest(digests_, refused)};
            co_return outcome(reason::rejected, memory_.refusal_message);
        }
        done = outcome(reason::progressing, "sending the other fields");
        done.momentary = true;
        done.again = services_.runtime.now();
    }
    co_return done;
}

// Runs the PATCH beside a clock: after a second without an answer the status says so.
asio::awaitable<Result<void>> Attempt::call(std::shared_ptr<Session> session, omni::Update update) {
    struct Shared {
        explicit Shared(rt::Runtime& runtime) : done(runtime) {}

        rt::Event done;
        std::optional<Result<void>> result;
    };

    const auto shared = std::make_shared<Shared>(services_.runtime);
    constexpr auto run_patch = [](std::shared_ptr<Shared> out, std::shared_ptr<Session> with,
                                  std::string id, omni::Update what) -> asio::awaitable<void> {
        out->result = co_await with->omni.update_connection(std::move(id), std::move(what));
        out->done.notify();
    };
    owner_.tasks_.spawn(run_patch(shared, session, target_.connection_id, std::move(update)));
    co_await shared->done.wait_until(services_.runtime,
                                     services_.runtime.now() + std::chrono::seconds(1));
    if (!shared->result) {
        auto notice = status_;
        notice.observed_generation = object_->meta.generation;
        kube::set_conditions(
            notice.conditions,
            conditions_of(outcome(reason::progressing, "sent; waiting for Omni's answer"),
                          object_->meta.generation),
            services_.runtime.wall_now());
        co_await owner_.write_status(object_, memory_, std::move(notice));
    }
    while (!shared->result)
        co_await shared->done.wait();
    co_return *shared->result;
}

void Attempt::note_accepted(const FieldSet& fields) {
    const std::string now_text = format_rfc3339(services_.runtime.wall_now());
    const auto settle = [&](Field field) { // true: it counts as applied
        const auto earlier = memory_.unknown.find(field);
        const auto settling = memory_.settling.find(field);
        const bool settled = settling != memory_.settling.end() &&
                             settling->second.digest == digests_.at(field) &&
                             services_.runtime.now() >= settling->second.due;
        const bool contested =
            earlier != memory_.unknown.end() && earlier->second != digests_.at(field);
        if (contested && !settled) {
            memory_.settling[field] = {.digest = digests_.at(field),
                                       .due = services_.runtime.now() + settling_time};
            return false;
        }
        memory_.unknown.erase(field);
        memory_.settling.erase(field);
        return true;
    };
    status_.last_push_time = now_text;
    if (fields.contains(Field::credential)) {
        if (settle(Field::credential))
            status_.applied.credential =
                api::AppliedCredential{.secret_name = object_->credential->secret.name,
                                       .secret_key = object_->credential->secret.key,
                                       .secret_uid = read_->meta.uid,
                                       .secret_resource_version = read_->meta.resource_version,
                                       .rotation_id = read_->rotation_id,
                                       .digest = digests_.at(Field::credential),
                                       .key_id = services_.digest_key.id,
                                       .pushed_at = now_text};
        if (memory_.secret_changed_at)
            services_.metrics.rotation_latency(
                ops::Seconds(services_.runtime.now() - *memory_.secret_changed_at));
        memory_.secret_changed_at.reset();
        owner_.record(*object_, kube::EventType::normal, "CredentialPushed", "Push",
                      "Omni accepted the credential from Secret " + read_->meta.key.name +
                          ", version " + read_->meta.resource_version);
        if (credential_->ends_in_newline)
            owner_.record(*object_, kube::EventType::warning, "PasswordEndsInNewline", "Push",
                          "the password in Secret " + read_->meta.key.name +
                              " ends in a line break, which was sent as part of it; "
                              "`echo -n` avoids that");
    }
    if (fields.contains(Field::base_role)) {
        if (settle(Field::base_role))
            status_.applied.base_role =
                api::AppliedBaseRole{.value = *object_->base_role, .pushed_at = now_text};
        owner_.record(*object_, kube::EventType::normal, "BaseRoleUpdated", "Push",
                      "Omni accepted base role " + *object_->base_role);
    }
    if (fields.contains(Field::environment_user_attribute)) {
        if (settle(Field::environment_user_attribute))
            status_.applied.environment_user_attribute = api::AppliedEnvironmentUserAttribute{
                .value = *object_->environment_user_attribute, .pushed_at = now_text};
        owner_.record(*object_, kube::EventType::normal, "EnvironmentUserAttributeUpdated", "Push",
                      "Omni accepted the environment user attribute");
    }
    status_.rejected.reset();
    for (const Field field : fields)
        log::info("pushed", {{"object", object_->meta.key.str()},
                             {"field", std::string(omni::name(field))},
                             {"host", target_.host},
                             {"connection", target_.connection_id}});
}

Outcome Attempt::note_failed(const FieldSet& fields, const Error& error) {
    if (error.sent == Sent::maybe) // Omni may hold either value now
        for (const Field field : fields) {
            if (field == Field::credential)
                status_.applied.credential.reset();
            else if (field == Field::base_role)
                status_.applied.base_role.reset();
            else
                status_.applied.environment_user_attribute.reset();
            memory_.settling.erase(field);
        }
    const auto now = services_.runtime.now();
    switch (error.kind) {
    case ErrorClass::refused:
    case ErrorClass::invalid:
        return note_refused(fields, error);
    case ErrorClass::unauthorized:
    case ErrorClass::forbidden: {
        memory_.key_refused_at = now;
        memory_.key_refused_message = error.message;
        owner_.instances_.doubt_key(instance_->meta.key);
        Outcome waiting = outcome(reason::progressing, "Omni refused; the key is being checked");
        waiting.momentary = true;
        return waiting;
    }
    case ErrorClass::not_found:
        memory_.not_found_at = now;
        memory_.lookup_since = now;
        owner_.instances_.want_directory(instance_->meta.key);
        if (object_->connection_id.empty())
            status_.connection_id.clear(); // a name may mean another connection now
        return retry_later(reason::connection_not_found,
                           "Omni does not know the connection (any more), or the key may not see "
                           "it. " +
                               error.message);
    case ErrorClass::rate_limited: {
        Outcome limited = outcome(reason::rate_limited, error.message);
        limited.again = now; // queues at the gate
        return limited;
    }
    case ErrorClass::tls:
        return retry_later(reason::tls_verification_failed, error.message);
    default:
        return retry_later(reason::omni_unavailable, error.message);
    }
}

Outcome Attempt::note_refused(const FieldSet& fields, const Error& error) {
    memory_.refusals.add(combined_digest(digests_, fields));
    memory_.refusal_message = error.message;
    const Choice next = choose(pending_, digests_, memory_.refusals);
    if (!next.send.empty()) { // not all of it need be wrong
        Outcome more =
            outcome(reason::progressing, "Omni refused the fields together; sending them "
                                         "one by one");
        more.momentary = true;
        more.again = services_.runtime.now();
        return more;
    }
    status_.rejected = api::Rejected{.generation = object_->meta.generation,
                                     .digest = combined_digest(digests_, next.blocked)};
    return outcome(reason::rejected, error.message);
}

} // namespace oco::reconcile
