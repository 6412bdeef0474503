#include "scene.hpp"

#include <utility>

namespace oco::test {
namespace {

using omni::Field;
using namespace reconcile;
using namespace std::chrono_literals;

std::string relative(rt::TimePoint now, rt::TimePoint when) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(when - now).count();
    return (seconds < 0 ? "" : "+") + std::to_string(seconds);
}

std::string_view readiness_name(Readiness readiness) {
    switch (readiness) {
    case Readiness::ready:
        return "ready";
    case Readiness::progressing:
        return "progressing";
    case Readiness::failing:
        return "failing";
    case Readiness::stalled:
        return "stalled";
    }
    return {};
}

std::string_view class_name(work::RequestClass request_class) {
    constexpr std::array<std::string_view, work::request_classes> names{
        "rotation", "rotation_retry", "lookup",          "new_object",
        "settings", "drift_list",     "drift_correction"};
    return names.at(static_cast<std::size_t>(request_class));
}

std::string say_action(const Action& action, rt::TimePoint now) {
    if (const auto* end = std::get_if<Finish>(&action))
        return say(end->outcome, now);
    if (const auto* what = std::get_if<ReadSecret>(&action))
        return "read " + what->secret.str() + " " + what->key +
               (what->passphrase_key.empty() ? "" : " " + what->passphrase_key) +
               (what->not_older_than.empty() ? " by quorum" : "@" + what->not_older_than);
    if (std::holds_alternative<PrepareCredential>(action))
        return "prepare";
    const auto& send = std::get<Send>(action);
    std::string text = "send";
    for (const Field field : send.fields)
        text.append(" ").append(omni::name(field));
    return text.append(" as ").append(class_name(send.request_class));
}

} // namespace

Scene::Scene() {
    object.meta = {.key = {.ns = "team", .name = "app"}, .uid = "u", .generation = 3};
    object.instance = {.ns = "team", .name = "omni"};
    object.connection_id = target.connection_id;
    object.credential = api::CredentialSpec{.secret = {.name = "db", .key = "password"}};
    object.base_role = "VIEWER";
    object.drift_check_interval = 0s;

    instance.meta = {.key = {.ns = "team", .name = "omni"}, .uid = "i", .generation = 1};
    instance.base_url = "https://acme.omniapp.co";

    view.uid = "i";
    view.generation = 1;
    view.outcome = outcome(reason::synced, "fine");
    view.usable = true;
    view.client = std::make_shared<AccountClient>(
        runtime, "acme.omniapp.co", rt::Endpoint{.host = "acme.omniapp.co", .port = 443}, "test",
        SecretBytes("token"), std::make_shared<Account>(runtime, 60, [] {}),
        [](std::string_view, int, rt::Duration) {});
    view.client_identity = "client";
    view.accepted_at = now - 10min;
    directory.asked_at = now - 10min;
    directory.by_id["c1"] = {
        .id = "c1", .name = "main", .dialect = "postgres", .base_role = "VIEWER"};

    rest.allowed = Allowance::yes;
    rest.operator_namespace = "omni-connection-operator-system";
    rest.digest_key_id = key.id;
    secret_at("5");

    state.uid = "u";
    state.target = target;
    state.generation_seen = 3;
    state.refusals.at_generation(3);
    state.compared_kind = object.credential->kind;
    state.status.observed_generation = 3;
    state.status.dialect = "postgres";
    state.status.last_push_time = "2026-11-30T11:00:00Z";
    state.status.applied.target = target;
    apply_credential({.secret_name = "db",
                      .secret_key = "password",
                      .secret_uid = "s",
                      .secret_resource_version = "5",
                      .rotation_id = "r5",
                      .digest = "d5",
                      .key_id = "k1",
                      .pushed_at = "2026-11-30T11:00:00Z"});
    apply_role("VIEWER");
}

Observation Scene::look() const {
    Observation seen = rest;
    seen.now = now;
    seen.wall_now = wall_now;
    seen.object = std::make_shared<const api::OmniConnection>(object);
    if (instance_exists)
        seen.instance = std::make_shared<const api::OmniInstance>(instance);
    if (view_exists && instance_exists) {
        seen.view = view;
        seen.view->directory = std::make_shared<const Directory>(directory);
    }
    const auto managed = managed_fields(object);
    std::erase_if(seen.holders, [&](const auto& entry) { return !managed.contains(entry.first); });
    for (const Field field : managed)
        seen.holders.try_emplace(field);
    return seen;
}

Decision Scene::decide() {
    return reconcile::decide(look(), key, state, fields);
}

Place Scene::locate() {
    return reconcile::locate(look(), state);
}

void Scene::secret_at(const std::string& version) {
    rest.watched_secret = kube::ObjectMeta{
        .key = {.ns = "team", .name = "db"}, .uid = "s", .resource_version = version};
}

void Scene::read(const std::string& version, const std::string& digest) {
    secret_at(version);
    rest.reading = Reading{.secret = {.ns = "team", .name = object.credential->secret.name},
                           .secret_key = object.credential->secret.key,
                           .passphrase_key = object.credential->passphrase_key,
                           .kind = object.credential->kind,
                           .meta = *rest.watched_secret,
                           .type = "Opaque",
                           .rotation_id = "r" + version,
                           .has_value = true,
                           .digest = digest,
                           .watched = version,
                           .prepared = Preparation{}};
}

void Scene::apply_credential(api::AppliedCredential entry) {
    std::string digest = entry.digest;
    fields[Field::credential].restore(
        {.uid = "u", .digest = std::move(digest), .entry = std::move(entry)});
}

void Scene::apply_role(const std::string& role) {
    fields[Field::base_role].restore({.uid = "u",
                                      .digest = base_role_digest(key, "u", target, role),
                                      .entry = api::AppliedBaseRole{.value = role}});
}

void Scene::change_all() {
    read("6", "d6");
    object.base_role = "QUERIER";
    directory.by_id["c1"].base_role = "QUERIER";
}

Digests Scene::wanted() const {
    Digests out;
    out[Field::credential] = rest.reading ? rest.reading->digest : "d5";
    out[Field::base_role] = base_role_digest(key, "u", target, *object.base_role);
    return out;
}

const api::AppliedCredential* Scene::applied_credential() const {
    const auto* value = fields[Field::credential].applied_by("u");
    return value == nullptr ? nullptr : &std::get<api::AppliedCredential>(value->entry);
}

std::string say(const Outcome& outcome, rt::TimePoint now) {
    std::string text = outcome.reason;
    text.append(" ").append(readiness_name(outcome.readiness));
    if (outcome.transient)
        text += " soon";
    if (outcome.requeue_at)
        text += " again" + relative(now, *outcome.requeue_at);
    return text;
}

std::string say(const std::optional<ListRequest>& list, rt::TimePoint now) {
    if (!list)
        return {};
    return "; list" + relative(now, list->since) +
           (list->request_class == work::RequestClass::drift_list ? " for drift" : "");
}

std::string say(const Decision& decision, rt::TimePoint now) {
    return say_action(decision.action, now) + say(decision.list, now);
}

std::string message_of(const Decision& decision) {
    const auto* end = std::get_if<Finish>(&decision.action);
    return end == nullptr ? std::string() : end->outcome.message;
}

} // namespace oco::test
