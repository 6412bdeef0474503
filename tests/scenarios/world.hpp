// The world of the scenarios, small and on virtual time: tenants and what they apply, replicas of
// the operator, Omni. Nothing happens by chance, except for a millisecond here and there on the
// network. A scenario says what is given, what happens and what follows, each in a line:
//
//     World world;
//     const auto warehouse = world.omni.creates("Warehouse");
//     Tenant& sales = world.tenant("sales");
//     sales.applies_instance();
//     sales.writes("db", "alpha");
//     sales.applies({.name = "warehouse", .id = warehouse, .secret = "db"});
//     world.starts();
//     CHECK(sales.in_step("warehouse"));
//
// At its end promises.hpp is checked too.
#pragma once

#include "omni.hpp"
#include "promises.hpp"
#include "sim/replica.hpp"

#include <functional>
#include <map>
#include <memory>
#include <string>

namespace oco::scenarios {

class World;

// --- what tenants apply

// spec.allowedNamespaces.
bj::object all_namespaces();
bj::object same_namespace();
// Those whose label `team` is this; a namespace begins with its own name there.
bj::object namespaces_of_team(const std::string& team);

struct InstanceSpec {
    std::string name = "omni";
    std::string key;                // of the API, which Omni accepts; empty: the tenant's own
    std::string key_secret = "key"; // the Secret that holds it
    bool keyless = false;           // the Secret is not written
    int limit = 600;                // requests a minute
    bj::object allows = same_namespace();
    bj::array connections; // spec.allowedConnections; empty: all
    bool suspended = false;
    std::string host = omni_host;
};

struct ConnectionSpec {
    std::string name;
    std::string id;      // of the connection in Omni, or
    std::string by_name; // its name there
    std::string secret;  // whose key `password` holds the credential; empty: none is managed
    std::string role;    // empty: none is managed
    std::string instance = "omni";
    std::string instance_of; // the tenant whose instance it is; empty: the same
    std::string drift_check_interval = "0s";
    std::string repush_interval = "0s";
    bool suspended = false;
};

// A namespace, and who works there. What they do takes no time.
class Tenant {
  public:
    Tenant(World& world, std::string ns);

    // --- what they do
    void applies_instance(const InstanceSpec& spec = {});
    // `spec` as in `kubectl patch --type=merge`: null takes a member away.
    void changes_instance(const bj::object& spec, const std::string& name = "omni");
    void deletes_instance(const std::string& name = "omni");
    // Another key in the Secret.
    void changes_key(const std::string& key, const std::string& secret = "key");

    void writes(const std::string& secret, const std::string& value,
                const std::string& key = "password");
    // The same with the annotation that a pipeline waits for in status.applied.
    void rotates(const std::string& secret, const std::string& value,
                 const std::string& rotation_id);
    void deletes_secret(const std::string& secret);

    void applies(const ConnectionSpec& spec);
    void changes(const std::string& connection, const bj::object& spec);
    // What changes() takes to name another Secret, or another kind of credential:
    // "bigQueryServiceAccount", "snowflakePrivateKey".
    static bj::object credential_from(const std::string& secret,
                                      const std::string& key = "password",
                                      const std::string& kind = "password");
    void deletes(const std::string& connection);
    // Deleted, but somebody else's finalizer keeps it for now.
    void terminates(const std::string& connection);
    void annotates(const std::string& connection, const std::string& name,
                   const std::string& value);
    // The namespace's label `team`.
    void joins(const std::string& team);

    // --- what they see
    // Of Ready; empty: there is no such condition.
    [[nodiscard]] std::string reason(const std::string& connection) const;
    [[nodiscard]] std::string ready(const std::string& connection) const; // True, False, Unknown
    [[nodiscard]] std::string message(const std::string& connection) const;
    [[nodiscard]] std::string instance_reason(const std::string& name = "omni") const;
    // The value that status.applied.credential vouches for; empty: none.
    [[nodiscard]] std::string vouched(const std::string& connection) const;
    // A text in the status: status_text("warehouse", {"applied", "baseRole", "value"}).
    [[nodiscard]] std::string status_text(const std::string& connection,
                                          std::initializer_list<std::string_view> path) const;
    [[nodiscard]] const bj::object& status(const std::string& connection) const;

    // Until Ready has this reason for the present spec; false: not in time.
    [[nodiscard]] bool sees(const std::string& connection, const std::string& wanted,
                            rt::Duration within = 10s);
    // Until it is Synced for the present spec and the newest version of its Secret.
    [[nodiscard]] bool in_step(const std::string& connection, rt::Duration within = 10s);

    [[nodiscard]] std::string key() const { return "key-of-" + ns_; }

  private:
    [[nodiscard]] const bj::object& object(const std::string& connection) const;
    [[nodiscard]] bool observed(const std::string& connection) const;

    World& world_;
    std::string ns_;
};

class World {
  public:
    World();
    World(const World&) = delete;
    World& operator=(const World&) = delete;
    ~World();

    // Made when it is first spoken of.
    Tenant& tenant(const std::string& ns);

    // Of another install, with a digest key and a Lease of its own; before it starts.
    void installs(const std::string& replica, const std::string& operator_namespace);

    // --- replicas: "alpha", "beta"
    // As --namespace; before any starts. All namespaces, if nothing is said.
    void watches(std::vector<std::string> namespaces) { namespaces_ = std::move(namespaces); }

    void starts(const std::string& replica = "alpha");
    // SIGTERM. It stays down; one that gave up by itself is started again after two seconds.
    void stops(const std::string& replica = "alpha");
    // SIGKILL.
    void kills(const std::string& replica = "alpha");

    // Who holds the Lease; empty: nobody.
    [[nodiscard]] const std::string& leader() const { return leader_; }

    // What /readyz says; the status comes first.
    [[nodiscard]] std::string readiness(const std::string& replica = "alpha");
    [[nodiscard]] std::string metrics(const std::string& replica = "alpha");

    // metadata.resourceVersion of an OmniConnection.
    [[nodiscard]] std::string version(const std::string& ns, const std::string& connection) const;
    // Warning Events with this reason.
    [[nodiscard]] std::size_t warned(const std::string& reason) const;
    // Lines of the log that contain this.
    [[nodiscard]] std::size_t logged(std::string_view text) const;

    // --- time
    void passes(rt::Duration duration);
    // Until it has come about; false: not in time.
    [[nodiscard]] bool happens(const std::function<bool()>& what, rt::Duration within = 10s);
    // The same for what Omni holds.
    [[nodiscard]] bool omni_gets(const std::string& id, const std::string& value,
                                 rt::Duration within = 10s);
    // Until a request of this kind has come to Omni, whose answer is still on its way.
    [[nodiscard]] bool omni_is_asked(RequestKind kind, rt::Duration within = 1min);

    [[nodiscard]] rt::TimePoint now() const { return time_.now(); }

    // --- the API server
    // Requests for these ("namespaces") fail, and watches of all kinds break.
    void kube_fails(const std::string& plural);
    // Requests in this namespace are refused (403), or those for this plural there; watches break.
    void kube_forbids(const std::string& ns, const std::string& plural = "");
    // All works again.
    void kube_recovers();
    // The next read of this Secret takes so long.
    void secret_read_takes(const std::string& ns, const std::string& secret, rt::Duration duration);
    void kube_goes_away();
    // etcd is restored from what kube.back_up() has kept.
    void kube_is_restored();
    // What is silent is cut, as load balancers do.
    void kube_connections_break();
    // The same, and the first that connects again meets a defect.
    void a_watch_meets_a_defect();
    // Nothing comes through any more on what is open, and nobody is told.
    void kube_connections_go_silent();

    // What changes from now on is shown to watches so much later; 0: at once.
    void watches_lag(rt::Duration duration) { kube.trouble.watch_delay = duration; }

    // A read that may be served from a cache shows the oldest version that will do.
    void cache_lags() { kube.trouble.cache_lags = true; }

    // Somebody deletes the Secret of the digest key: the next process makes another.
    void digest_key_is_lost();

    // A line of what `--trace` shows.
    void say(const std::string& text) const;

    // Somebody has just changed something, so that work may be under way.
    void touched() { touched_ = std::max(touched_, time_.now()); }

    // The run's settings, as main() has them.
    struct Settings {
        std::uint64_t seed = 1;
        bool trace = false;
    };

    static Settings settings;

  private:
    sim::Replica& process(const std::string& name);
    void listen_to_log();
    void follow_kube();
    void object_written(const std::string& plural, const bj::object& object);
    void follow_omni(Omni& which, const std::string& host);
    void step(rt::Duration duration);
    void check_confidential();

    test::SimRuntime time_{settings.seed};
    sim::Network network_{time_, settings.seed};
    rt::TimePoint begin_ = time_.now();

  public:
    sim::KubeModel kube{time_, settings.seed};
    Omni omni{time_, settings.seed};       // at omni_host
    Omni other_omni{time_, settings.seed}; // at other_host; its connections have the same ids

  private:
    Promises promises_{kube, {{omni_host, &omni}, {other_host, &other_omni}}};
    std::map<std::string, Tenant> tenants_;
    std::map<std::string, std::unique_ptr<sim::Replica>> replicas_;
    std::string leader_;
    std::optional<rt::TimePoint> leads_since_; // somebody who runs
    rt::TimePoint touched_{};
    bool news_ = false;   // since the last quiet moment that was looked at
    std::string failing_; // plural
    std::vector<std::string> namespaces_;
    std::map<std::string, std::string> installs_; // operator namespaces, by replica
    std::vector<std::string> log_;
    bool kube_away_ = false;
    std::string slow_path_; // of a Secret
    rt::Duration slow_by_{};
    std::map<std::string, std::string> shown_; // last line about each object

    friend class Tenant;
};

} // namespace oco::scenarios
