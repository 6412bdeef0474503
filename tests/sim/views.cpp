#include "views.hpp"

#include <algorithm>

namespace oco::sim {

void KubeViews::show(const std::string& client, const std::string& plural, std::uint64_t version) {
    auto& steps = steps_[{client, plural}];
    if (steps.empty() || steps.back().version < version)
        steps.push_back({.version = version, .when = time_.now()});
}

void KubeViews::forget(const std::string& client) {
    std::erase_if(steps_, [&](const auto& entry) { return entry.first.first == client; });
}

std::optional<rt::TimePoint> KubeViews::seen_at(const std::string& client,
                                                const std::string& plural,
                                                std::uint64_t version) const {
    const auto known = steps_.find({client, plural});
    if (known == steps_.end())
        return std::nullopt;
    const auto step = std::ranges::lower_bound(known->second, version, {}, &Step::version);
    return step == known->second.end() ? std::nullopt : std::optional(step->when);
}

void KeyView::note(const OmniModel::Arrival& arrival, rt::TimePoint now) {
    const bool lists = arrival.lists();
    const std::string id = arrival.reads();
    const bool refused = arrival.status == 403 || arrival.status == 404;
    if (arrival.status == 401)
        notes_.push_back({.when = now, .kind = Kind::key_refused, .shown = {}, .id = {}});
    else if (arrival.status == 200 && arrival.shown)
        notes_.push_back({.when = now,
                          .kind = lists ? Kind::listed : Kind::read,
                          .shown = arrival.shown,
                          .id = id});
    else if (refused && (lists || !id.empty()))
        notes_.push_back({.when = now,
                          .kind = lists ? Kind::list_refused : Kind::read_refused,
                          .shown = {},
                          .id = id});
}

bool KeyView::shows(const Note& note, const std::string& id) {
    return note.shown && note.shown->contains(id);
}

bool KeyView::denies(const Note& note, const std::string& id) {
    switch (note.kind) {
    case Kind::listed:
        return !note.shown->contains(id);
    case Kind::read:
    case Kind::read_refused:
        return note.id == id && !shows(note, id);
    case Kind::list_refused:
    case Kind::key_refused:
        return true;
    }
    return true;
}

bool KeyView::ever_showed(const std::string& id) const {
    return std::ranges::any_of(notes_, [&](const Note& note) { return shows(note, id); });
}

bool KeyView::showed_lastingly(const std::string& id, rt::TimePoint since,
                               rt::TimePoint limit) const {
    for (auto note = notes_.rbegin(); note != notes_.rend(); ++note) {
        if (denies(*note, id))
            return false;
        if (shows(*note, id) && note->when <= limit)
            return note->when >= since;
    }
    return false;
}

bool KeyView::was_refused() const {
    return !notes_.empty() && notes_.back().kind == Kind::key_refused;
}

bool KeyView::was_refused_the_list() const {
    return std::ranges::find(notes_, Kind::list_refused, &Note::kind) != notes_.end();
}

void OmniViews::delivered(const std::string& host, const OmniModel::Arrival& arrival) {
    views_[{arrival.client, host, arrival.token()}].note(arrival, time_.now());
}

void OmniViews::forget(const std::string& client) {
    std::erase_if(views_, [&](const auto& entry) { return std::get<0>(entry.first) == client; });
}

const KeyView& OmniViews::of(const std::string& client, const std::string& host,
                             const std::string& token) const {
    static const KeyView nothing;
    const auto known = views_.find({client, host, token});
    return known == views_.end() ? nothing : known->second;
}

} // namespace oco::sim
