// What each process of the operator was shown, by the API server and by Omni: what it can know.
#pragma once

#include "history.hpp"
#include "omni_model.hpp"
#include "truth.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace oco::sim {

// How much of the collections each process has taken from its lists and watches.
class KubeViews {
  public:
    explicit KubeViews(test::SimRuntime& time) : time_(time) {}

    void show(const std::string& client, const std::string& plural, std::uint64_t version);

    // A process that has lost the Lease lists all again, and may not succeed with each kind. When
    // it begins to is not known: until it is shown something, it may go by anything.
    void forget(const std::string& client);

    // When the process had this version of the collection, or a later one; nullopt: not yet.
    [[nodiscard]] std::optional<rt::TimePoint>
    seen_at(const std::string& client, const std::string& plural, std::uint64_t version) const;

    // The values that the process may go by: the one that it was shown last at `limit`, and all
    // that came since. Null stands for "not there".
    template<class T>
    [[nodiscard]] std::vector<const T*>
    acceptable(const History<T>& history, const std::string& client, const std::string& plural,
               rt::TimePoint limit) const {
        std::vector<const T*> out;
        auto version = history.end();
        while (version != history.begin()) {
            --version;
            out.push_back(version->value.get());
            const auto seen = seen_at(client, plural, version->number);
            if (seen && *seen <= limit)
                return out;
        }
        out.push_back(nullptr);
        return out;
    }

  private:
    struct Step {
        std::uint64_t version;
        rt::TimePoint when;
    };

    test::SimRuntime& time_;
    std::map<std::pair<std::string, std::string>, std::vector<Step>> steps_; // ascending
};

// What Omni has told a process of one key.
class KeyView {
  public:
    void note(const OmniModel::Arrival& arrival, rt::TimePoint now);

    // Whether the key was ever shown this connection.
    [[nodiscard]] bool ever_showed(const std::string& id) const;
    // Whether an answer of [since, limit] showed it, and nothing said otherwise until now.
    [[nodiscard]] bool showed_lastingly(const std::string& id, rt::TimePoint since,
                                        rt::TimePoint limit) const;

    // Whether nothing was said yet of what the key may read, nor that it is refused.
    [[nodiscard]] bool tells_nothing() const { return notes_.empty(); }

    // The last that was said of it; or ever, that it may not list.
    [[nodiscard]] bool was_refused() const;
    [[nodiscard]] bool was_refused_the_list() const;

  private:
    enum class Kind { listed, list_refused, read, read_refused, key_refused };

    struct Note {
        rt::TimePoint when{};
        Kind kind = Kind::listed;
        std::shared_ptr<const std::set<std::string>> shown; // of listed and read
        std::string id;                                     // of read and read_refused
    };

    [[nodiscard]] static bool shows(const Note& note, const std::string& id);
    [[nodiscard]] static bool denies(const Note& note, const std::string& id);

    std::vector<Note> notes_;
};

class OmniViews {
  public:
    explicit OmniViews(test::SimRuntime& time) : time_(time) {}

    // A request whose client has the whole answer.
    void delivered(const std::string& host, const OmniModel::Arrival& arrival);

    [[nodiscard]] const KeyView& of(const std::string& client, const std::string& host,
                                    const std::string& token) const;

    // A process that has lost the Lease has forgotten what it was shown.
    void forget(const std::string& client);

  private:
    test::SimRuntime& time_;
    std::map<std::tuple<std::string, std::string, std::string>, KeyView> views_;
};

} // namespace oco::sim
