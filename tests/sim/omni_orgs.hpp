// The organizations of the simulated world in Omni, each at a host of its own: their connections,
// which are renamed, deleted and made again; their API keys, with different rights; and what was
// stored, by whom and when.
#pragma once

#include "facts.hpp"
#include "omni_model.hpp"
#include "push.hpp"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace oco::sim {

inline constexpr std::array<std::string_view, 2> omni_hosts{"acme.omniapp.co", "globex.omniapp.co"};

struct ApiKey {
    std::string text;
    bool accepted = true;
    std::optional<std::set<std::string>> changes; // ids; nullopt: all
    ReadingRights reading;

    [[nodiscard]] bool may_change(const std::string& id) const {
        return !changes || changes->contains(id);
    }
};

// What a field of a connection was from when on.
struct Stored {
    rt::TimePoint when{};
    std::string client;
    bool late = false; // its sender had given up
    std::string value; // of a password, or of a role
};

class Organization {
  public:
    Organization(test::SimRuntime& time, std::uint64_t seed, std::string host);

    OmniModel omni;

    [[nodiscard]] const std::string& host() const { return omni.host(); }

    // --- connections
    // Ids that are not deleted.
    [[nodiscard]] std::vector<std::string> living() const;
    [[nodiscard]] bool lives(const std::string& id) const;
    // Null: there never was one.
    [[nodiscard]] const emulator::Connection* connection(const std::string& id) const;
    // Whether it had this name, and was not deleted, at any time from then on.
    [[nodiscard]] bool was_named_since(const std::string& id, const std::string& name,
                                       rt::TimePoint since) const;
    // Those that have the name and that this key may see.
    [[nodiscard]] std::vector<std::string> named(const std::string& name, const ApiKey& key) const;
    // Its id.
    std::string add_connection(const std::string& name);
    void rename(const std::string& id, const std::string& name);
    void remove(const std::string& id);

    // --- keys
    // 0 and 1 may do everything; 2 sees and changes some connections; 3 may not list.
    std::vector<ApiKey> keys;
    // After a change of `keys`.
    void publish_keys();
    // Another text; whoever holds the old one is refused.
    void replace_key(std::size_t place);
    // The one that is accepted now; null: none has this text.
    [[nodiscard]] const ApiKey* accepted_key(const std::string& text) const;

    // --- what is stored
    void note_stored(const OmniModel::Arrival& arrival);
    // Whether the connection had this value at any time from then on.
    [[nodiscard]] bool held_since(const std::string& id, Field field, const std::string& value,
                                  rt::TimePoint since) const;
    // The last; null: nothing was stored.
    [[nodiscard]] const Stored* last_stored(const std::string& id, Field field) const;

    // What is wanted of an object's field, and what is there. True for fields that it does not
    // manage.
    [[nodiscard]] bool holds(const std::string& id, Field field, const ObjectFacts& object,
                             const std::string& password) const;

  private:
    static emulator::Seed make_content(std::uint64_t seed, const std::string& host);
    void note_name(const std::string& id);

    struct NameStep {
        rt::TimePoint when{};
        std::string name; // empty: deleted
    };

    test::SimRuntime& time_;
    Dice dice_;
    std::map<std::string, std::vector<NameStep>> names_;
    std::map<std::pair<std::string, Field>, std::vector<Stored>> stored_;
    int connections_ = 0; // that were ever made
    int made_ = 0;        // keys
};

class Organizations {
  public:
    Organizations(test::SimRuntime& time, Network& network, std::uint64_t seed);

    [[nodiscard]] std::size_t size() const { return all_.size(); }

    Organization& operator[](std::size_t place) { return *all_[place]; }

    const Organization& operator[](std::size_t place) const { return *all_[place]; }

    // Null: there is none at this host.
    [[nodiscard]] const Organization* at(const std::string& host) const;
    Organization* at(const std::string& host);

  private:
    std::vector<std::unique_ptr<Organization>> all_;
};

} // namespace oco::sim
