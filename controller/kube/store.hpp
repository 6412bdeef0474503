// The local view of a collection, fed by one Watcher for each watched namespace (or one for all).
#pragma once

#include "base/mutation.hpp"
#include "kube/object.hpp"
#include "kube/watcher.hpp"

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
    // `before` or `after` is null when there is none. An object that was deleted and made again
    // between two looks comes as one change with another UID.
    using Listener = std::function<void(const Pointer& before, const Pointer& after)>;

    explicit Store(Listener listener) : listener_(std::move(listener)) {}

    [[nodiscard]] Pointer get(const ObjectKey& key) const {
        const auto it = objects_.find(key);
        return it == objects_.end() ? nullptr : it->second;
    }

    [[nodiscard]] const std::unordered_map<ObjectKey, Pointer>& objects() const { return objects_; }

    void put(T object) {
        auto after = std::make_shared<const T>(std::move(object));
        auto& slot = objects_[after->meta.key];
        if (slot && slot->meta.uid == after->meta.uid &&
            slot->meta.resource_version == after->meta.resource_version)
            return; // a relist or a repeated event
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

  private:
    std::unordered_map<ObjectKey, Pointer> objects_;
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
        if (auto decoded = T::decode(object); wanted(decoded.meta.key)) {
            ObjectKey key = decoded.meta.key;
            incoming_.insert_or_assign(std::move(key), std::move(decoded));
        }
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
            store_.put(std::move(object));
    }

    void changed(const json::Value& object) override {
        // Once nobody wants it, somebody may again, and then must not find it as it was.
        if (auto decoded = T::decode(object);
            wanted(decoded.meta.key) || store_.get(decoded.meta.key))
            store_.put(std::move(decoded));
    }

    void deleted(const json::Value& object) override {
        const auto meta = decode_meta(object);
        incoming_.erase(meta.key);
        const auto known = store_.get(meta.key);
        if (known && known->meta.uid == meta.uid)
            store_.erase(meta.key);
    }

  private:
    [[nodiscard]] bool wanted(const ObjectKey& key) const { return !keep_ || keep_(key); }

    Store<T>& store_;
    std::string ns_;
    std::function<bool(const ObjectKey&)> keep_;
    std::unordered_map<ObjectKey, T> incoming_; // by a list that is under way
};

} // namespace oco::kube
