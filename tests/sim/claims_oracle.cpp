#include "claims_oracle.hpp"

#include "marks.hpp"

#include <algorithm>

namespace oco::sim {
namespace {

constexpr rt::Duration own_work = std::chrono::seconds(1);
// While an older claim is in doubt nobody sends but the holder by the statuses, for a minute.
constexpr rt::Duration doubt_lasts = std::chrono::seconds(55);

bool all_older(const std::vector<const ObjectFacts*>& these,
               const std::vector<const ObjectFacts*>& those) {
    return std::ranges::all_of(these, [&](const ObjectFacts* one) {
        return std::ranges::all_of(
            those, [&](const ObjectFacts* other) { return one->older_than(*other); });
    });
}

Fields fields_of(const Push& push) {
    return {!push.value.empty(), !push.base_role.empty(), push.attribute.has_value()};
}

} // namespace

void ClaimsOracle::arrived(const OmniModel::Arrival& arrival, const std::string& host,
                           rt::Duration way) {
    if (arrival.request.method != "PATCH")
        return;
    const Push push = push_of(arrival.request);
    const Fields sent = fields_of(push);
    for (const Field field : all_fields) {
        if (!sent[place(field)])
            continue;
        const Case of{.client = arrival.client,
                      .token = arrival.token(),
                      .target = {host, push.connection_id},
                      .field = field,
                      .limit = time_.now() - own_work - way};
        std::string objections = "nobody claims it";
        bool fine = false;
        for (const Name& sender : senders(push, of)) {
            const auto why = objection(sender, of);
            fine = !why;
            if (fine) {
                count_rivals(sender, of);
                break;
            }
            objections = shown(sender) + ": " + *why;
        }
        if (fine)
            continue;
        ++foreign;
        complain_("foreign: " + of.client + " sent " + std::string(name_of(field)) + " to " +
                  shown(of.target) + " for " + objections);
    }
}

// Of a removal of the attribute, whoever wants that.
std::vector<Name> ClaimsOracle::senders(const Push& push, const Case& of) const {
    if (const auto number = sender_of(push))
        return {object_of_(*number)};
    std::vector<Name> out;
    for (const auto& [name, history] : from_.truth.objects) {
        const auto all = standing(name, of);
        if (all.possible && std::ranges::any_of(all.objects, [](const ObjectFacts* one) {
                return one->attribute_name.empty();
            }))
            out.push_back(name);
    }
    return out;
}

// What the object names, by all that the process may go by.
std::string ClaimsOracle::named(const Name& object, const Case& of) const {
    std::string out;
    for (const auto* one : from_.kube_views.acceptable(history_of(from_.truth.objects, object),
                                                       of.client, plurals::objects, of.limit)) {
        const auto* instance = one == nullptr ? nullptr : from_.truth.instance(one->instance);
        out += out.empty() ? "" : ", or ";
        out += one == nullptr                 ? std::string("nothing")
               : one->terminating             ? std::string("nothing any more")
               : instance == nullptr          ? std::string("an OmniInstance that is gone")
               : one->connection_name.empty() ? shown(Target{instance->host, one->connection_id})
                                              : one->connection_name + " of " + instance->host;
    }
    return out;
}

std::optional<std::string> ClaimsOracle::objection(const Name& sender, const Case& of) const {
    const Standing its = standing(sender, of);
    if (!its.possible)
        return "it has no claim there, but names " + named(sender, of);
    if (std::ranges::find(its.keys, of.token, &Key::token) == its.keys.end())
        return "with a key that is not its OmniInstance's";
    const Proof its_proof = proof(sender, its, of);
    if (!its_proof.possible && !its_proof.behind)
        return "nothing proves its claim: its key was not shown the connection, and its status "
               "names nothing that was applied there";
    if (auto why = rival_objection(sender, its, its_proof, of))
        return why;
    return status_objection(sender, of);
}

std::optional<std::string> ClaimsOracle::rival_objection(const Name& sender, const Standing& its,
                                                         const Proof& its_proof,
                                                         const Case& of) const {
    for (const auto& [rival, history] : from_.truth.objects) {
        if (rival == sender)
            continue;
        const Standing theirs = standing(rival, of);
        if (!theirs.definite || theirs.objects.empty())
            continue;
        const Proof their_proof = proof(rival, theirs, of);
        const bool older = all_older(theirs.objects, its.objects);
        const bool behind = its_proof.behind && !its_proof.possible;
        if (their_proof.definite && older)
            return shown(rival) + " holds it, which is older and has proved its claim";
        if (their_proof.definite && behind)
            return shown(rival) + " holds it, whose key may read";
        const auto since = std::max(theirs.since, from_.lease.since());
        const bool in_doubt = older && !theirs.may_lack_key && their_proof.unknown &&
                              !their_proof.possible && since <= of.limit &&
                              time_.now() < since + doubt_lasts;
        if (in_doubt && !holds_by_status(sender, of))
            return "whether " + shown(rival) +
                   ", which is older, may claim it is not known yet, and nothing says that the "
                   "younger one held it";
    }
    return std::nullopt;
}

// Nobody sends while the status of another still says that it applied the field there.
std::optional<std::string> ClaimsOracle::status_objection(const Name& sender,
                                                          const Case& of) const {
    for (const auto& [other, history] : from_.truth.statuses) {
        const auto* status = newest(history);
        if (other != sender && status != nullptr && status->target == of.target &&
            status->applied[place(of.field)])
            return "the status of " + shown(other) + " still says that it applied it there";
    }
    return std::nullopt;
}

// What the holder had to win against.
void ClaimsOracle::count_rivals(const Name& sender, const Case& of) {
    const Standing its = standing(sender, of);
    const auto& me = *its.objects.back();
    const auto* org = from_.orgs.at(of.target.host);
    const auto* connection = org->connection(of.target.id);
    if (!me.connection_name.empty()) {
        coverage_.met(Met::sent_by_name);
        if (connection != nullptr && connection->name != me.connection_name)
            coverage_.met(Met::name_kept_after_rename);
    }
    const auto* last = org->last_stored(of.target.id, of.field);
    for (const auto& [rival, history] : from_.truth.objects) {
        if (rival == sender)
            continue;
        if (const auto* object = newest(history);
            object != nullptr && object->terminating && object->connection_id == of.target.id)
            coverage_.met(Met::terminating_claimant);
        const Standing theirs = standing(rival, of);
        if (!theirs.definite || theirs.objects.empty())
            continue;
        const auto& other = *theirs.objects.back();
        coverage_.met(rival.first == sender.first ? Met::within_namespace
                                                  : Met::between_namespaces);
        if (other.connection_name.empty() != me.connection_name.empty())
            coverage_.met(Met::by_id_and_by_name);
    }
    if (last != nullptr && of.field == Field::credential) {
        Push before;
        before.value = last->value;
        const auto number = sender_of(before);
        if (number && object_of_(*number) != sender)
            coverage_.met(Met::field_taken_over);
    }
}

// Coverage only: at the start of a leader.
void ClaimsOracle::look_for_doubt() {
    for (const auto& [holder, statuses] : from_.truth.statuses) {
        const auto* status = newest(statuses);
        const auto* object = from_.truth.object(holder);
        if (status == nullptr || object == nullptr || !status->applied_anything())
            continue;
        for (const auto& [rival, history] : from_.truth.objects) {
            const auto* other = newest(history);
            if (other == nullptr || rival == holder || !other->older_than(*object))
                continue;
            for (const Field field : all_fields) {
                if (!status->applied[place(field)] || !other->manages[place(field)])
                    continue;
                const Case of{.client = from_.lease.leader(),
                              .token = {},
                              .target = status->target,
                              .field = field,
                              .limit = time_.now()};
                const Standing theirs = standing(rival, of);
                if (theirs.definite && !theirs.keys.empty() && proof(rival, theirs, of).unknown)
                    coverage_.met(Met::doubt);
            }
        }
    }
}

} // namespace oco::sim
