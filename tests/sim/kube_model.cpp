#include "kube_model.hpp"

#include "base/time.hpp"
#include "kube_rules.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace oco::sim {
namespace {

constexpr rt::Duration bookmark_interval = std::chrono::seconds(60);
constexpr rt::Duration last_bookmark_before_end = std::chrono::seconds(2);
constexpr std::string_view token_prefix = "page+";
constexpr std::size_t replayed_at_most = 4;
constexpr std::size_t remembered_at_most = 1000; // changes of a collection

std::uint64_t number(std::string_view text) {
    std::uint64_t out = 0;
    std::from_chars(text.data(), text.data() + text.size(), out);
    return out;
}

enum class Wants { object, metadata, metadata_list };

Wants wanted_form(const HttpRequest& request) {
    const std::string accept = request.header("accept");
    return accept.find("as=PartialObjectMetadataList") != std::string::npos ? Wants::metadata_list
           : accept.find("as=PartialObjectMetadata") != std::string::npos   ? Wants::metadata
                                                                            : Wants::object;
}

// The object that was sent; nullopt when it is none.
std::optional<bj::object> body_of(const HttpRequest& request) {
    boost::system::error_code failed;
    bj::value body = bj::parse(request.body, failed);
    return failed || !body.is_object() ? std::nullopt : std::optional(body.get_object());
}

std::string parameter(const HttpRequest& request, const std::string& name) {
    const auto it = request.query.find(name);
    return it == request.query.end() ? std::string() : it->second;
}

bj::object partial(const bj::object& object) {
    return {{"kind", "PartialObjectMetadata"},
            {"apiVersion", "meta.k8s.io/v1"},
            {"metadata", object.at("metadata")}};
}

std::string reason_phrase(int status) {
    return status < 300 ? "OK" : "Nope";
}

} // namespace

KubeModel::KubeModel(test::SimRuntime& time, std::uint64_t seed)
    : time_(time), dice_(seed, "kube") {
    const auto add = [this](std::string plural, std::string kind, std::string api_version,
                            bool namespaced = true) {
        collections_[plural] = {.plural = plural,
                                .kind = std::move(kind),
                                .api_version = std::move(api_version),
                                .namespaced = namespaced};
    };
    add("secrets", "Secret", "v1");
    add("namespaces", "Namespace", "v1", false);
    add("leases", "Lease", "coordination.k8s.io/v1");
    add("events", "Event", "events.k8s.io/v1");
    add("omniinstances", "OmniInstance", "omniconnection.io/v1alpha1");
    add("omniconnections", "OmniConnection", "omniconnection.io/v1alpha1");
}

Accept KubeModel::accept() {
    return trouble.never_answers_connections ? Accept::never_answer
           : trouble.refuses_connections     ? Accept::refuse
                                             : Accept::yes;
}

// --- requests ----------------------------------------------------------------------------------

std::optional<KubeModel::Place> KubeModel::place_of(const std::string& path) {
    std::vector<std::string> parts;
    for (std::size_t at = 1; at <= path.size();) {
        const auto end = std::min(path.find('/', at), path.size());
        parts.push_back(path.substr(at, end - at));
        at = end + 1;
    }
    const std::size_t skip = !parts.empty() && parts[0] == "apis" ? 3 : 2;
    if (parts.size() <= skip)
        return std::nullopt;
    std::string api_version = parts[1];
    if (skip == 3)
        api_version += "/" + parts[2];
    parts.erase(parts.begin(), parts.begin() + static_cast<std::ptrdiff_t>(skip));
    Place place;
    if (parts.size() > 2 && parts[0] == "namespaces") {
        place.ns = parts[1];
        parts.erase(parts.begin(), parts.begin() + 2);
    }
    const auto known = collections_.find(parts[0]);
    if (known == collections_.end() || known->second.api_version != api_version || parts.size() > 3)
        return std::nullopt;
    place.collection = &known->second;
    if (parts.size() > 1)
        place.name = parts[1];
    place.status = parts.size() == 3;
    if (place.status && (parts[2] != "status" || !has_status(parts[0])))
        return std::nullopt;
    return place;
}

void KubeModel::request(HttpRequest request, ChannelPointer channel) {
    ++counts.requests;
    if (on_request)
        on_request(request);
    const std::string given = request.header("authorization");
    if (!tokens.empty() && (!given.starts_with("Bearer ") || !tokens.contains(given.substr(7))))
        return reply(channel, status_answer(401, "Unauthorized", "Unauthorized"));
    if (request.path == "/version")
        return reply(channel, {.body = bj::object{{"gitVersion", "v1.36.3"}}});
    const bool writes = request.method != "GET";
    if (dice_.chance(trouble.too_many)) {
        Answer answer = status_answer(429, "TooManyRequests", "too many requests");
        if (dice_.chance(0.5))
            answer.headers.emplace_back("Retry-After", std::to_string(dice_.number(1, 5)));
        return reply(channel, answer);
    }
    if (dice_.chance(trouble.error_before))
        return reply(channel, forced_error());
    if (writes && dice_.chance(trouble.conflict))
        return reply(channel, status_answer(409, "Conflict", "the object was modified"));
    const auto place = place_of(request.path);
    if (!place)
        return reply(channel, status_answer(404, "NotFound",
                                            "the server could not find the requested resource"));
    const bool reads_many = request.method == "GET" && place->name.empty();
    if (const auto refused = trouble.refused_reads.find(place->collection->plural);
        reads_many && refused != trouble.refused_reads.end())
        return reply(channel, status_answer(refused->second, "Refused", "reading is refused"));
    if (trouble.forbidden.contains({place->ns, ""}) ||
        trouble.forbidden.contains({place->ns, place->collection->plural}))
        return reply(channel,
                     status_answer(403, "Forbidden",
                                   place->collection->plural + " is forbidden in " + place->ns));
    if (request.query.contains("watch"))
        return start_watch(request, *place, std::move(channel));
    writer_ = channel->client();
    Answer answer = serve(request, *place);
    writer_.clear();
    if (writes && answer.status < 300 && on_write && on_write_answered) {
        const auto note = [client = channel->client(), plural = place->collection->plural,
                           name = Name(place->ns, place->name)](const auto& tell) {
            tell(client, plural, name);
        };
        note(on_write);
        answer.taken = [this, note] {
            note(on_write_answered);
        };
    }
    if (dice_.chance(trouble.error_after))
        return reply(channel, forced_error());
    if (dice_.chance(trouble.reply_lost))
        return channel->reset();
    if (dice_.chance(trouble.reply_never))
        return;
    reply(channel, answer);
}

KubeModel::Answer KubeModel::forced_error() {
    constexpr int codes[] = {500, 503, 504};
    const int code = codes[dice_.index(3)];
    return status_answer(code, "InternalError", "etcdserver: request timed out");
}

KubeModel::Answer KubeModel::serve(const HttpRequest& request, const Place& place) {
    if (request.method == "GET")
        return place.name.empty() ? list(request, place) : get(request, place);
    if (request.method == "POST" && place.name.empty())
        return create(request, place);
    if (request.method == "PUT")
        return replace(request, place);
    if (request.method == "PATCH")
        return patch(request, place);
    return status_answer(405, "MethodNotAllowed", "the server does not allow this method");
}

void KubeModel::reply(const ChannelPointer& channel, const Answer& answer) {
    const std::string body = bj::serialize(answer.body);
    std::string text =
        "HTTP/1.1 " + std::to_string(answer.status) + " " + reason_phrase(answer.status) +
        "\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
        "\r\n";
    for (const auto& [name, value] : answer.headers)
        text += name + ": " + value + "\r\n";
    text += "\r\n" + body;
    const bool half = dice_.chance(trouble.reply_half);
    if (half)
        text.resize(dice_.index(text.size()));
    const auto deliver = [this, channel, text = std::move(text), half, shows = answer.shows,
                          version = answer.shown_to, taken = answer.taken] {
        channel->send(text);
        if (!half && taken)
            channel->when_taken(taken);
        if (half)
            channel->finish();
        else if (shows != nullptr)
            note_shown(channel, shows->plural, version);
    };
    const auto taken = std::exchange(trouble.next_answer_takes, rt::Duration::zero()) +
                       dice_.duration(rt::Duration::zero(), trouble.slowness);
    if (taken == rt::Duration::zero())
        deliver();
    else
        time_.after(taken, deliver);
}

KubeModel::Answer KubeModel::status_answer(int code, std::string_view reason, std::string message) {
    return {.status = code,
            .body = bj::object{{"kind", "Status"},
                               {"apiVersion", "v1"},
                               {"status", "Failure"},
                               {"reason", reason},
                               {"message", message},
                               {"code", code}}};
}

KubeModel::Answer KubeModel::refused(const Refusal& refusal) {
    return status_answer(refusal.code, refusal.reason, refusal.message);
}

KubeModel::Answer KubeModel::no_object() {
    return status_answer(400, "BadRequest", "the body is no JSON object");
}

KubeModel::Answer KubeModel::gone() {
    return status_answer(410, "Expired", "too old resource version");
}

KubeModel::Answer KubeModel::get(const HttpRequest& request, const Place& place) {
    const Wants form = wanted_form(request);
    if (form == Wants::metadata_list)
        return status_answer(406, "NotAcceptable", "the requested object is not a list");
    Collection& collection = *place.collection;
    const auto it = collection.objects.find(Name(place.ns, place.name));
    const auto found = [form](const bj::object& object) {
        return Answer{.body = form == Wants::metadata ? partial(object) : object};
    };
    const auto not_found = [&] {
        return status_answer(404, "NotFound",
                             collection.plural + " \"" + place.name + "\" not found");
    };
    const auto at_least = request.query.find("resourceVersion");
    if (at_least == request.query.end() || at_least->second.empty())
        return it == collection.objects.end() ? not_found() : found(it->second);
    // From the watch cache, which may lag behind, but not behind the version that was asked for.
    const std::uint64_t least = number(at_least->second);
    if (least > version_)
        return status_answer(504, "Timeout", "Too large resource version");
    const Change* chosen = nullptr;
    for (const auto& change : collection.history) {
        if (change.name.second != place.name || change.name.first != place.ns)
            continue;
        const bool old_enough = change.version <= least;
        if (old_enough || chosen == nullptr || (!trouble.cache_lags && dice_.chance(0.7)))
            chosen = &change;
        else
            break;
    }
    if (chosen == nullptr)
        return it == collection.objects.end() ? not_found() : found(it->second);
    return chosen->type == "DELETED" ? not_found() : found(chosen->object);
}

KubeModel::Answer KubeModel::list(const HttpRequest& request, const Place& place) {
    ++counts.lists;
    const Wants form = wanted_form(request);
    if (form == Wants::metadata)
        return status_answer(406, "NotAcceptable", "the requested object is a list");
    Page page{.collection = place.collection, .version = version_, .rest = {}};
    const std::string selector = parameter(request, "fieldSelector");
    if (const auto refusal = refuse_selector(place.collection->plural, selector))
        return refused(*refusal);
    if (const auto token = request.query.find("continue"); token != request.query.end()) {
        if (!token->second.starts_with(token_prefix))
            return status_answer(400, "BadRequest", "invalid continue token");
        auto known = pages_.extract(token->second);
        if (known.empty() || dice_.chance(trouble.watch_gone)) {
            return gone();
        }
        page = std::move(known.mapped());
    } else {
        for (const auto& [name, object] : place.collection->objects)
            if ((place.ns.empty() || name.first == place.ns) && selected(object, selector))
                page.rest.push_back(object);
    }
    const auto asked = request.query.find("limit");
    const std::uint64_t limit =
        std::min<std::uint64_t>(asked == request.query.end() ? UINT64_MAX : number(asked->second),
                                static_cast<std::uint64_t>(page_limit));
    const std::size_t count = std::min<std::size_t>(page.rest.size(), limit);
    bj::array items;
    const bool metadata_only = form == Wants::metadata_list;
    for (std::size_t i = 0; i < count; ++i)
        items.push_back(metadata_only ? partial(page.rest[i]) : page.rest[i]);
    page.rest.erase(page.rest.begin(), page.rest.begin() + static_cast<std::ptrdiff_t>(count));
    const std::uint64_t version = page.version;
    const bool last = page.rest.empty();
    bj::object meta{{"resourceVersion", std::to_string(version)}};
    if (!last) {
        // As real ones, it must be encoded to travel.
        const std::string token = std::string(token_prefix) + std::to_string(++pages_made_) + "/&=";
        meta["continue"] = token;
        pages_[token] = std::move(page);
    }
    return {.body = bj::object{{"kind", metadata_only ? std::string("PartialObjectMetadataList")
                                                      : place.collection->kind + "List"},
                               {"apiVersion",
                                metadata_only ? "meta.k8s.io/v1" : place.collection->api_version},
                               {"metadata", std::move(meta)},
                               {"items", std::move(items)}},
            .headers = {},
            .shows = last ? place.collection : nullptr,
            .shown_to = version};
}

KubeModel::Answer KubeModel::create(const HttpRequest& request, const Place& place) {
    auto object = body_of(request);
    if (!object)
        return no_object();
    Collection& collection = *place.collection;
    auto refusal = refuse_place(*object, place.ns, place.name);
    if (!refusal)
        refusal = refuse_creation(collection.plural, *object);
    if (refusal)
        return refused(*refusal);
    const std::string name = text_at(*object, {"metadata", "name"});
    if (collection.namespaced && find("namespaces", "", place.ns) == nullptr)
        return status_answer(404, "NotFound", "namespaces \"" + place.ns + "\" not found");
    if (collection.objects.contains({place.ns, name}))
        return status_answer(409, "AlreadyExists",
                             collection.plural + " \"" + name + "\" already exists");
    object->erase("status");
    Answer answer = write(collection, {place.ns, name}, std::move(*object), false);
    answer.status = 201;
    return answer;
}

KubeModel::Answer KubeModel::replace(const HttpRequest& request, const Place& place) {
    auto object = body_of(request);
    if (!object)
        return no_object();
    Collection& collection = *place.collection;
    if (const auto refusal = refuse_place(*object, place.ns, place.name))
        return refused(*refusal);
    const auto it = collection.objects.find({place.ns, place.name});
    if (it == collection.objects.end() && collection.plural == "leases") {
        // Made again, whatever version the PUT names.
        HttpRequest creation = request;
        child(*object, "metadata").erase("resourceVersion");
        creation.body = bj::serialize(*object);
        return create(creation, place);
    }
    if (it == collection.objects.end())
        return status_answer(404, "NotFound", "\"" + place.name + "\" not found");
    if (const auto refusal = refuse_replacement(collection.plural, it->second, *object))
        return refused(*refusal);
    return write(collection, it->first, std::move(*object), place.status);
}

KubeModel::Answer KubeModel::patch(const HttpRequest& request, const Place& place) {
    const bool merges = request.header("content-type") == "application/merge-patch+json";
    if (!merges && request.header("content-type") != "application/json-patch+json")
        return status_answer(415, "UnsupportedMediaType", "neither a merge nor a JSON patch");
    boost::system::error_code failed;
    const bj::value body = bj::parse(request.body, failed);
    if (failed || (merges ? !body.is_object() : !body.is_array()))
        return no_object();
    const bj::object change = merges ? body.get_object() : bj::object();
    if (const auto refusal = refuse_place(change, place.ns, place.name))
        return refused(*refusal);
    Collection& collection = *place.collection;
    const auto it = collection.objects.find({place.ns, place.name});
    if (it == collection.objects.end())
        return status_answer(404, "NotFound", "\"" + place.name + "\" not found");
    bj::object object = it->second;
    if (merges) {
        merge_into(object, change);
    } else if (auto done = patched(object, body.get_array())) {
        object = std::move(*done);
    } else {
        return status_answer(422, "Invalid",
                             "the server rejected our request due to an error in our request");
    }
    if (const auto refusal =
            refuse_patch(collection.plural, it->second, change, object, place.status))
        return refused(*refusal);
    return write(collection, it->first, std::move(object), place.status);
}

// --- writing -----------------------------------------------------------------------------------

// The object as it is wanted; what only the server may set is taken from what is there.
KubeModel::Answer KubeModel::write(Collection& collection, const Name& name, bj::object wanted,
                                   bool status) {
    const auto known = collection.objects.find(name);
    const bool fresh = known == collection.objects.end();
    const bool specified = has_status(collection.plural);
    wanted["kind"] = collection.kind;
    wanted["apiVersion"] = collection.api_version;
    if (specified && !wanted.contains("status"))
        wanted["status"] = bj::object{{"observedGeneration", -1}};
    if (collection.plural == "secrets" && !wanted.contains("type"))
        wanted["type"] = "Opaque";
    bj::object& meta = child(wanted, "metadata"); // until the next member of `wanted` is added
    meta["name"] = name.second;
    if (collection.namespaced)
        meta["namespace"] = name.first;
    if (fresh) {
        meta["uid"] = "uid-" + std::to_string(++uids_);
        meta["creationTimestamp"] = format_rfc3339(time_.wall_now());
        if (specified) {
            meta["generation"] = 1;
            collection.unwritten.insert(name);
        }
    } else {
        const bj::object& old = known->second;
        const bj::object& old_meta = old.at("metadata").as_object();
        for (const char* kept :
             {"uid", "creationTimestamp", "generation", "resourceVersion", "deletionTimestamp"})
            if (old_meta.contains(kept))
                meta[kept] = old_meta.at(kept);
        if (specified && status) { // the subresource changes the status alone
            bj::value next = wanted["status"];
            wanted = old;
            wanted["status"] = std::move(next);
        } else if (specified) {
            const bool terminates =
                meta.contains("deletionTimestamp") && !old_meta.contains("deletionTimestamp");
            if (wanted.at("spec") != old.at("spec") || terminates)
                meta["generation"] = old_meta.at("generation").as_int64() + 1;
            wanted["status"] = old.at("status");
        }
        const bool stores_defaults = specified && collection.unwritten.erase(name) > 0;
        if (wanted == old && !stores_defaults)
            return {.body = old};
    }
    child(wanted, "metadata")["resourceVersion"] = std::to_string(++version_);
    collection.objects[name] = wanted;
    publish(collection, {.version = version_,
                         .type = fresh ? "ADDED" : "MODIFIED",
                         .name = name,
                         .object = wanted});
    if (on_written)
        on_written(collection.plural, wanted);
    return {.body = std::move(wanted)};
}

void KubeModel::apply(const std::string& plural, const std::string& ns, const std::string& name,
                      bj::object content) {
    write(collections_.at(plural), {ns, name}, std::move(content), false);
}

bool KubeModel::merge(const std::string& plural, const std::string& ns, const std::string& name,
                      const bj::object& patch) {
    Collection& collection = collections_.at(plural);
    const auto it = collection.objects.find({ns, name});
    if (it == collection.objects.end())
        return false;
    bj::object object = it->second;
    merge_into(object, patch);
    write(collection, it->first, std::move(object), patch.contains("status"));
    return true;
}

bool KubeModel::terminate(const std::string& plural, const std::string& ns,
                          const std::string& name) {
    Collection& collection = collections_.at(plural);
    const auto it = collection.objects.find({ns, name});
    if (it == collection.objects.end())
        return false;
    bj::object& meta = child(it->second, "metadata");
    if (meta.contains("deletionTimestamp"))
        return true;
    meta["deletionTimestamp"] = format_rfc3339(time_.wall_now());
    meta["generation"] = meta.at("generation").as_int64() + 1;
    meta["resourceVersion"] = std::to_string(++version_);
    publish(collection,
            {.version = version_, .type = "MODIFIED", .name = it->first, .object = it->second});
    if (on_written)
        on_written(plural, it->second);
    return true;
}

bool KubeModel::remove(const std::string& plural, const std::string& ns, const std::string& name) {
    Collection& collection = collections_.at(plural);
    auto known = collection.objects.extract({ns, name});
    if (known.empty())
        return false;
    child(known.mapped(), "metadata")["resourceVersion"] = std::to_string(++version_);
    publish(
        collection,
        {.version = version_, .type = "DELETED", .name = known.key(), .object = known.mapped()});
    if (on_removed)
        on_removed(plural, known.mapped());
    return true;
}

const bj::object* KubeModel::find(const std::string& plural, const std::string& ns,
                                  const std::string& name) const {
    const auto& objects = collections_.at(plural).objects;
    const auto it = objects.find({ns, name});
    return it == objects.end() ? nullptr : &it->second;
}

std::vector<const bj::object*> KubeModel::all(const std::string& plural) const {
    std::vector<const bj::object*> out;
    for (const auto& [name, object] : collections_.at(plural).objects)
        out.push_back(&object);
    return out;
}

void KubeModel::compact() {
    for (auto& [plural, collection] : collections_) {
        collection.history.clear();
        collection.forgotten_to = version_;
    }
    pages_.clear();
}

void KubeModel::restart() {
    pages_.clear();
    watches_.clear();
}

void KubeModel::back_up() {
    backup_ = collections_;
    backup_version_ = version_;
}

void KubeModel::restore() {
    restart();
    version_ = backup_version_;
    for (auto& [plural, collection] : collections_) { // requests point at them
        const Collection& then = backup_.at(plural);
        collection.objects = then.objects;
        collection.unwritten = then.unwritten;
        collection.history = then.history;
        collection.forgotten_to = then.forgotten_to;
        if (on_written)
            for (const auto& [name, object] : collection.objects)
                on_written(plural, object);
    }
}

// --- watches -----------------------------------------------------------------------------------

std::string KubeModel::event_line(const Watch& watch, std::string_view type,
                                  const bj::object& object) const {
    return bj::serialize(bj::object{{"type", type},
                                    {"object", watch.metadata_only ? partial(object) : object}}) +
           "\n";
}

bj::object KubeModel::bookmark_object(const Watch& watch, bool ends_initial_events) const {
    bj::object meta{{"resourceVersion", std::to_string(version_)}};
    if (ends_initial_events)
        meta["annotations"] = bj::object{{"k8s.io/initial-events-end", "true"}};
    return {{"kind", watch.collection->kind},
            {"apiVersion", watch.collection->api_version},
            {"metadata", std::move(meta)}};
}

void KubeModel::start_watch(const HttpRequest& request, const Place& place,
                            ChannelPointer channel) {
    const bool streams = parameter(request, "sendInitialEvents") == "true" &&
                         streaming_lists != StreamingLists::unknown;
    const bool matches_versions = parameter(request, "resourceVersionMatch") == "NotOlderThan";
    if (streaming_lists != StreamingLists::unknown &&
        (streams != matches_versions || (streams && streaming_lists == StreamingLists::refused)))
        return reply(channel, status_answer(422, "Invalid", "sendInitialEvents: Forbidden"));
    if (const auto refusal =
            refuse_selector(place.collection->plural, parameter(request, "fieldSelector")))
        return reply(channel, refused(*refusal));
    const bool bookmarks = parameter(request, "allowWatchBookmarks") == "true";
    std::string from_text = parameter(request, "resourceVersion");
    if (from_text == "0") // any state, as without one
        from_text.clear();
    const std::uint64_t from = from_text.empty() ? version_ : number(from_text);
    const bool too_old =
        !streams && !from_text.empty() &&
        (from < place.collection->forgotten_to || dice_.chance(trouble.watch_gone));
    if (too_old && dice_.chance(0.5)) {
        return reply(channel, gone());
    }
    auto watch = std::make_shared<Watch>();
    watch->collection = place.collection;
    watch->ns = place.ns;
    watch->selector = parameter(request, "fieldSelector");
    watch->metadata_only = wanted_form(request) != Wants::object;
    watch->channel = channel;
    const std::uint64_t seconds = number(parameter(request, "timeoutSeconds"));
    watch->ends = time_.now() + std::chrono::seconds(seconds == 0 ? 1800 : seconds);
    watch->from = streams ? 0 : from;
    channel->send("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                  "Transfer-Encoding: chunked\r\n\r\n");
    if (too_old) {
        tell(*watch, bj::serialize(bj::object{{"type", "ERROR"}, {"object", gone().body}}) + "\n");
        return end_watch(watch);
    }
    const auto matches = [&](const bj::object& object) {
        return (watch->ns.empty() || text_at(object, {"metadata", "namespace"}) == watch->ns) &&
               selected(object, watch->selector);
    };
    if (streams || from_text.empty()) { // the second: "any state", then what follows
        for (const auto& [name, object] : place.collection->objects)
            if (matches(object))
                tell(*watch, event_line(*watch, "ADDED", object));
        if (streams && bookmarks) { // else nothing says where the list ends
            ++counts.lists;
            tell(*watch, event_line(*watch, "BOOKMARK", bookmark_object(*watch, true)), version_);
        } else {
            watch->endless_list = true;
        }
    } else {
        for (const auto& change : place.collection->history)
            if (change.version > from && matches(change.object))
                tell(*watch, event_line(*watch, change.type, change.object), change.version);
    }
    watches_.push_back(watch);
    if (bookmarks) {
        time_.after(bookmark_interval, [this, watch] { bookmark(watch); });
        if (const auto last = watch->ends - last_bookmark_before_end; last > time_.now())
            time_.at(last, [this, watch] { bookmark(watch); });
    }
    time_.at(watch->ends, [this, watch] { end_watch(watch); });
}

void KubeModel::bookmark(const std::shared_ptr<Watch>& watch) {
    if (watch->channel->abandoned() || time_.now() >= watch->ends)
        return;
    if (version_ >= watch->from)
        send_event(watch, event_line(*watch, "BOOKMARK", bookmark_object(*watch, false)), version_);
    time_.after(bookmark_interval, [this, watch] { bookmark(watch); });
}

void KubeModel::end_watch(const std::shared_ptr<Watch>& watch) {
    watch->ends = time_.now();
    watch->channel->send("0\r\n\r\n");
}

// One chunk.
void KubeModel::tell(Watch& watch, const std::string& line, std::uint64_t version) {
    char size[16];
    const auto end = std::to_chars(size, size + sizeof size, line.size(), 16).ptr;
    watch.channel->send(std::string(size, end) + "\r\n" + line + "\r\n");
    if (version != 0 && !watch.endless_list)
        note_shown(watch.channel, watch.collection->plural, version);
}

void KubeModel::note_shown(const ChannelPointer& channel, const std::string& plural,
                           std::uint64_t version) const {
    if (on_shown)
        channel->when_taken([this, client = channel->client(), plural, version] {
            on_shown(client, plural, version);
        });
}

// Events keep their order, and come as late as the watch lags.
void KubeModel::send_event(const std::shared_ptr<Watch>& watch, std::string line,
                           std::uint64_t version) {
    rt::TimePoint when = time_.now() + trouble.watch_delay;
    if (trouble.watch_lag != rt::Duration::zero())
        when += dice_.duration(rt::Duration::zero(), trouble.watch_lag);
    watch->last_event = std::max(watch->last_event, when);
    const auto deliver = [this, watch, line = std::move(line), version] {
        if (watch->channel->abandoned() || time_.now() > watch->ends)
            return;
        if (dice_.chance(trouble.watch_garbage)) {
            constexpr std::string_view garbage[] = {
                "{\"type\":\"ERROR\",\"object\":{\"code\":500,\"message\":\"oops\"}}\n",
                "{\"type\":\"ERROR\",\"object\":{\"code\":410,\"message\":\"expired\"}}\n",
                "{\"type\":\"MODIFIED\",\"object\":{\"metadata\":{\"na\n",
                "\n",
                "{\"type\":\"GREETING\",\"object\":{\"metadata\":{\"resourceVersion\":\"1\"}}}\n",
                "[]\n"};
            tell(*watch, std::string(dice_.pick(garbage)));
            watch->channel->finish();
            watch->ends = time_.now();
            return;
        }
        tell(*watch, line, version);
        watch->recent.push_back(line);
        if (watch->recent.size() > replayed_at_most)
            watch->recent.pop_front();
        if (dice_.chance(trouble.watch_repeats))
            for (const auto& again : watch->recent)
                tell(*watch, again);
    };
    time_.at(watch->last_event, deliver);
}

void KubeModel::publish(Collection& collection, Change change) {
    std::array<std::string, 2> lines; // as a whole, and its metadata
    for (auto it = watches_.begin(); it != watches_.end();) {
        const auto watch = it->lock();
        if (!watch || watch->channel->abandoned() || time_.now() >= watch->ends) {
            it = watches_.erase(it);
            continue;
        }
        ++it;
        if (watch->collection != &collection || change.version <= watch->from ||
            !selected(change.object, watch->selector) ||
            (!watch->ns.empty() && text_at(change.object, {"metadata", "namespace"}) != watch->ns))
            continue;
        std::string& line = lines[watch->metadata_only ? 1 : 0];
        if (line.empty())
            line = event_line(*watch, change.type, change.object);
        send_event(watch, line, change.version);
    }
    collection.history.push_back(std::move(change));
    if (collection.history.size() > remembered_at_most) {
        collection.forgotten_to = collection.history.front().version;
        collection.history.pop_front();
    }
}

} // namespace oco::sim
