// What holds in every scenario, whatever it is about; checked as things happen. Of settings and
// private keys a scenario says itself what Omni holds.
//
// - A status that says Synced of a generation names all that this spec names.
// - A status vouches (status.applied.credential) only for a value that Omni holds, or has just got
//   the successor of from the same object.
// - Of one Secret no older value is sent after a newer one.
// - At a quiet moment, what is Synced is in Omni.
// - No credential can be read anywhere.
#pragma once

#include "omni.hpp"
#include "sim/kube_model.hpp"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace oco::scenarios {

namespace bj = boost::json;

class Promises {
  public:
    // By host.
    using Omnis = std::map<std::string, Omni*>;

    Promises(const sim::KubeModel& kube, Omnis omnis) : kube_(kube), omnis_(std::move(omnis)) {}

    void secret_written(const bj::object& secret);
    // Also told of what others write to the object; looks only when the status is another.
    void status_written(const bj::object& connection);
    void sent(const std::string& host, const sim::Push& push);
    void stored(const std::string& host, const sim::Push& push);
    // Nobody has changed anything for so long that all should be done.
    void check_quiet_moment();

    // Nobody can read or write what is in these namespaces: their statuses stay as they are.
    void excuse(std::set<std::string> namespaces) { excused_ = std::move(namespaces); }

    void check_text(std::string_view text);

    // The value that the object's status vouches for; empty: none.
    [[nodiscard]] std::string vouched(const bj::object& connection) const;

    // The Secret that the object's spec names; empty: none.
    [[nodiscard]] static std::string secret_in_spec(const bj::object& connection) {
        return source_in_spec(connection).secret;
    }

    // What was broken, each once.
    [[nodiscard]] const std::vector<std::string>& broken() const { return broken_; }

  private:
    struct Version {
        std::string resource_version;
        std::map<std::string, std::string> values; // by key, plain
    };

    using Versions = std::vector<Version>;

    // A value in a Secret, as the status or the spec of an object names it.
    struct Source {
        std::string ns;
        std::string secret;
        std::string key;

        bool operator==(const Source&) const = default;
    };

    [[nodiscard]] const Versions& versions(const Source& source) const;
    // Whether the Secret got this value later than in that version; an empty one: ever.
    [[nodiscard]] bool got_later(const Source& source, const std::string& value,
                                 const std::string& resource_version) const;
    [[nodiscard]] static Source source_in_spec(const bj::object& connection);
    [[nodiscard]] static Source source_in_status(const bj::object& connection);
    // Whether the object itself may have sent this value after the one it vouches for.
    [[nodiscard]] bool is_own_successor(const bj::object& connection,
                                        const std::string& value) const;
    // What Omni holds for the target that the status names; nullopt: it has no such connection.
    [[nodiscard]] std::optional<std::string> held_at_target(const bj::object& connection) const;
    [[nodiscard]] bool excused(const bj::object& connection) const;
    void check_synced(const bj::object& connection);
    void complain(const std::string& what);

    const sim::KubeModel& kube_;
    Omnis omnis_;
    std::map<std::string, Versions> versions_; // by "namespace/name"
    // By host, connection and Secret: the place of its version.
    std::map<std::string, std::size_t> newest_sent_;
    std::map<std::string, bj::object> statuses_; // by object: as last written
    std::set<std::string> excused_;
    std::vector<std::string> broken_;
};

} // namespace oco::scenarios
