// The local view of a collection, fed by one Watcher for each watched namespace (or one for all).
#pragma once

#include "base/mutation.hpp"
#include "kube/object.hpp"
#include "kube/watcher.hpp"

#include <algorithm>
#include <deque>
#include <functional>
#include <memory>
#include <unordered_map>
#include <utility>

namespace oco::kube {

// T has `ObjectMeta meta` and `static T decode(const json::Value&)`.
template<class T>
class Store {
  public:
    using Pointer = std::shared_ptr<const T>;
    // `before` or `after` is null when there is none. An object that was deleted and created again
    // between two lists comes as one change with another UID.
    using Listener = std::function<void(const Pointer& before, const Pointer& after)>;

    explicit Store(Listener listener) : listener_(std::move(listener)) {}

    [[nodiscard]] Pointer get(const ObjectKey& key) const {
        const auto it = objects_.find(key);
        return it == objects_.end() ? nullptr : it->second;
    }

    [[nodiscard]] const std::unordered_map<ObjectKey, Pointer>& objects() const { return objects_; }

    // The object as this metadata has it; null when it is not there in this version.
    [[nodiscard]] Pointer get_version(const ObjectMeta& meta) const {
        const auto known = get(meta.key);
        const bool same = known && known->meta.uid == meta.uid &&
                          known->meta.resource_version == meta.resource_version;
        return same ? known : nullptr;
    }

    void put(Pointer after) {
        if (get_version(after->meta))
            return; // a relist or a repeated event
        auto& slot = objects_[after->meta.key];
        const Pointer before = std::exchange(slot, after);
        listener_(before, after);
    }

    void erase(const ObjectKey& key) {
        const auto it = objects_.find(key);
        if (it == objects_.end())
            return;
        const Pointer before = std::move(it->second);
        objects_.erase(it);
        listener_(before, nullptr);
    }

    // The watch has told of a deletion; also of what is not in the store.
    void gone(const ObjectMeta& meta) {
        const auto known = get(meta.key);
        if (known && known->meta.uid == meta.uid)
            return erase(meta.key);
        gone_.push_back(meta.uid);
        if (gone_.size() > remembered_deletions)
            gone_.pop_front();
    }

    // What was read beside the watch, which may have told of its deletion meanwhile, and then does
    // not tell again.
    void put_read(T object) {
        if (!get(object.meta.key) && std::ranges::find(gone_, object.meta.uid) == gone_.end())
            put(std::make_shared<const T>(std::move(object)));
    }

  private:
    // More than come while one object is being read.
    static constexpr std::size_t remembered_deletions = 1000;

    std::unordered_map<ObjectKey, Pointer> objects_;
    std::deque<std::string> gone_; // UIDs of what was not in the store
    Listener listener_;
};

// Feeds a store from a watcher whose scope is one namespace, or all when `ns` is empty. A list
// replaces what the store has of that scope at its end, at once.
template<class T>
class StoreFeed final : public WatchSink {
  public:
    // `keep` may be empty: all. What is in the store is kept up to date in any case.
    StoreFeed(Store<T>& store, std::string ns, std::function<bool(const ObjectKey&)> keep = {})
        : store_(store), ns_(std::move(ns)), keep_(std::move(keep)) {}

    void list_begins() override { incoming_.clear(); }

    void listed(const json::Value& object) override {
        const auto meta = decode_meta(object);
        if (!wanted(meta.key))
            return;
        // Most are known: a list needs no second copy of them.
        auto known = store_.get_version(meta);
        incoming_.insert_or_assign(meta.key,
                                   known ? known : std::make_shared<const T>(T::decode(object)));
    }

    void list_ends() override {
        std::vector<ObjectKey> gone;
        for (const auto& [key, object] : store_.objects())
            if ((ns_.empty() || key.ns == ns_) && !incoming_.contains(key))
                gone.push_back(key);
        if (!mutated("no-deletes-from-relist"))
            for (const auto& key : gone)
                store_.erase(key);
        for (auto& [key, object] : std::exchange(incoming_, {}))
            store_.put(object);
    }

    void changed(const json::Value& object) override {
        // It may be wanted again later, and must not be found in its old state then.
        if (auto decoded = T::decode(object);
            wanted(decoded.meta.key) || store_.get(decoded.meta.key))
            store_.put(std::make_shared<const T>(std::move(decoded)));
    }

    void deleted(const json::Value& object) override {
        const auto meta = decode_meta(object);
        incoming_.erase(meta.key);
        store_.gone(meta);
    }

  private:
    [[nodiscard]] bool wanted(const ObjectKey& key) const { return !keep_ || keep_(key); }

    Store<T>& store_;
    std::string ns_;
    std::function<bool(const ObjectKey&)> keep_;
    std::unordered_map<ObjectKey, typename Store<T>::Pointer>
        incoming_; // by a list that is under way
};

} // namespace oco::kube
