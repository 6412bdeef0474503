#include "scenario.hpp"

#include "base/log.hpp"
#include "trouble.hpp"

#include <boost/json/serialize.hpp>

#include <algorithm>

namespace oco::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr rt::Duration trouble_begins = seconds(20);
constexpr rt::Duration trouble_ends = minutes(46);
constexpr rt::Duration calm_until = minutes(61);
constexpr rt::Duration latest_end = minutes(75);
constexpr rt::Duration silence = minutes(5);
constexpr int least_faults = 20;
constexpr int most_faults = 32;

bool says_ready(const std::string& status) {
    return status.find(R"("type":"Ready","status":"True")") != std::string::npos;
}

class Scenario {
  public:
    Scenario(std::uint64_t seed, std::function<void(const std::string&)> trace)
        : seed_(seed), trace_(std::move(trace)), dice_(seed, "scenario"), time_(seed),
          network_(time_, seed),
          oracle_(time_, [this](std::string what) { complain(std::move(what)); }),
          world_(time_, network_, seed, oracle_), stage_{.time = time_,
                                                         .network = network_,
                                                         .world = world_,
                                                         .replicas = replicas_,
                                                         .dice = dice_} {}

    Report run();

  private:
    void complain(std::string what) {
        say("COMPLAINT " + what);
        if (report_.complaints.size() < 20)
            report_.complaints.push_back(std::move(what));
    }

    void say(const std::string& text) {
        if (!trace_)
            return;
        const auto ms = std::chrono::duration_cast<milliseconds>(time_.now() - begin_).count();
        trace_(std::to_string(ms / 1000) + "." + std::to_string(1000 + ms % 1000).substr(1) + " " +
               text);
    }

    void listen_to_log();
    void follow_lease();
    void follow_omni();
    void follow_key();
    void add_replicas();
    void plan_faults();
    void plan_changes();
    void calm_down();
    void advance(rt::TimePoint until);
    [[nodiscard]] std::vector<std::string> unfinished() const;
    void check_silence();
    void check_confidential();
    void end_all();

    std::uint64_t seed_;
    std::function<void(const std::string&)> trace_;
    Report report_;
    Dice dice_;
    test::SimRuntime time_;
    Network network_;
    PushOracle oracle_;
    World world_;
    std::vector<std::unique_ptr<Replica>> replicas_;
    Stage stage_;
    std::string log_;
    rt::TimePoint begin_ = time_.now();
    std::string holder_;
    std::uint64_t writes_ = 0; // to objects other than Leases, by anybody
    std::uint64_t patches_ = 0;
};

void Scenario::listen_to_log() {
    log::configure({.level = log::Level::info,
                    .format = log::Format::text,
                    .clock = [this] { return time_.wall_now(); },
                    .sink =
                        [this](std::string_view line) {
                            log_ += line;
                            if (trace_)
                                say("  " + std::string(line.substr(0, line.size() - 1)));
                            if (line.find("a defect of the operator") != std::string_view::npos)
                                complain(std::string(line));
                        }});
}

void Scenario::follow_lease() {
    world_.kube.on_written = [this](const std::string& plural, const bj::object& object) {
        if (plural != "leases") {
            writes_ += plural == "events" ? 0 : 1;
            return;
        }
        // "address_random"
        std::string holder = object.at("spec").as_object().at("holderIdentity").as_string().c_str();
        holder = holder.substr(0, holder.find('_'));
        if (!holder.empty())
            oracle_.renewed();
        if (holder == holder_)
            return;
        say("lease: " + (holder.empty() ? "released" : holder + " leads"));
        if (holder.empty())
            oracle_.released();
        else
            oracle_.leads(holder, holder_.empty() && oracle_.figures.leaders > 0);
        holder_ = holder;
    };
}

void Scenario::follow_omni() {
    world_.omni.on_arrival = [this](const OmniModel::ArrivalPointer& arrival) {
        patches_ += arrival->request.method == "PATCH" ? 1 : 0;
        say("omni: " + arrival->client + " " + arrival->request.method + " " +
            arrival->request.target.substr(
                arrival->request.target.size() > 40 ? arrival->request.target.size() - 4 : 0) +
            " " + arrival->request.body.substr(0, 60));
        const auto way = 2 * network_.quality(std::string(omni_host)).most_delay;
        if (const Push push = push_of(arrival->request); !push.value.empty()) {
            credential_arrived(stage_, arrival->client, push.value);
            instance_used(stage_, Use::push);
        } else if (arrival->request.target.starts_with("/api/v1/connections?") ||
                   arrival->request.target == "/api/v1/connections") {
            instance_used(stage_, Use::list);
        }
        oracle_.arrived(arrival, world_.omni, world_.instance.limit(), way + milliseconds(100));
    };
    world_.omni.on_settled = [this](const OmniModel::ArrivalPointer& arrival) {
        if (arrival->request.method == "PATCH")
            say(std::string("omni: ") + std::to_string(arrival->status) +
                (arrival->fate == OmniModel::Fate::unknown ? ", which its client has not learnt"
                                                           : ""));
        oracle_.settled(arrival);
    };
}

void Scenario::follow_key() {
    world_.kube.on_request = [this](const HttpRequest& request) {
        if (request.method == "GET" && request.path == "/api/v1/namespaces/" +
                                                           std::string(instance_namespace) +
                                                           "/secrets/" + world_.instance.secret())
            instance_used(stage_, Use::token_read);
    };
}

void Scenario::add_replicas() {
    for (int number = 0; number < 2; ++number) {
        // At most this much is off between two machines of a cluster that is looked after badly.
        const seconds skew(dice_.chance(0.5) ? 0 : dice_.number(-300, 300));
        auto replica = std::make_unique<Replica>(
            time_, network_,
            ReplicaOptions{.name = number == 0 ? "alpha" : "beta",
                           .wall_skew = skew,
                           .seed = seed_,
                           .token = [this] { return world_.kube_token(); },
                           .on_exit =
                               [this, number](int code) {
                                   say("exit " + std::to_string(code));
                                   time_.after(seconds(2), [this, number] {
                                       replicas_[static_cast<std::size_t>(number)]->start();
                                   });
                               }});
        time_.after(dice_.duration(rt::Duration::zero(), seconds(5)),
                    [replica = replica.get()] { replica->start(); });
        replicas_.push_back(std::move(replica));
    }
}

void Scenario::plan_faults() {
    const int count = dice_.number(least_faults, most_faults);
    const auto faults = all_faults();
    for (int i = 0; i < count; ++i) {
        const Fault& fault = faults[dice_.index(faults.size())];
        const auto from = begin_ + dice_.duration(trouble_begins, trouble_ends - seconds(10));
        const auto until =
            std::min(from + dice_.duration(seconds(1), minutes(3)), begin_ + trouble_ends);
        time_.at(from, [this, &fault] {
            say("FAULT " + std::string(fault.name));
            ++report_.faults;
            fault.begin(stage_);
        });
        if (fault.end != nullptr)
            time_.at(until, [this, &fault] {
                say("over: " + std::string(fault.name));
                fault.end(stage_);
            });
    }
}

void Scenario::plan_changes() {
    for (auto when = begin_ + seconds(5); when < begin_ + trouble_ends + minutes(1);
         when += dice_.duration(milliseconds(100), seconds(60)))
        time_.at(when, [this] { say("user: " + world_.act()); });
}

void Scenario::calm_down() {
    world_.calm_down();
    for (auto& replica : replicas_)
        replica->start();
}

void Scenario::advance(rt::TimePoint until) {
    while (time_.now() < until) {
        time_.run_until(std::min(until, time_.now() + minutes(1)));
        for (auto& replica : replicas_)
            replica->reap();
    }
}

// What is not as it should be, long after the last change.
std::vector<std::string> Scenario::unfinished() const {
    std::vector<std::string> out;
    const auto* instance = world_.kube.find("omniinstances", std::string(instance_namespace),
                                            std::string(instance_name));
    if (instance == nullptr)
        return {"there is no OmniInstance"};
    if (const auto status = bj::serialize(instance->at("status")); !says_ready(status))
        out.push_back("the OmniInstance is not Ready; status " + status);
    for (const auto& object : world_.objects()) {
        const auto* kube = world_.kube.find("omniconnections", object.ns, object.name);
        const std::string status = bj::serialize(kube->at("status"));
        const auto& omni =
            const_cast<World&>(world_).omni.content().connections().at(object.connection_id);
        const auto miss = [&](const std::string& what) {
            out.push_back(object.name + ": " + what + "; status " + status);
        };
        if (!says_ready(status))
            miss("not Ready");
        if (kube->at("status").at("observedGeneration") != kube->at("metadata").at("generation"))
            miss("the status is of an older generation");
        if (!object.secret.empty()) {
            if (omni.password != world_.secrets().at(object.secret))
                miss("LOST: Omni has another password than " + object.secret);
            const auto slash = object.secret.find('/');
            const auto* secret = world_.kube.find("secrets", object.secret.substr(0, slash),
                                                  object.secret.substr(slash + 1));
            if (status.find(R"("secretResourceVersion":)" +
                            bj::serialize(secret->at("metadata").at("resourceVersion"))) ==
                std::string::npos)
                miss("the status names another version of the Secret");
        }
        if (object.spec.contains("baseRole") &&
            omni.base_role != object.spec.at("baseRole").as_string().c_str())
            miss("LOST: Omni has another role");
    }
    return out;
}

// Where nothing changes, nothing is written and nothing is sent.
void Scenario::check_silence() {
    const auto writes = writes_;
    const auto patches = patches_;
    advance(time_.now() + silence);
    if (patches_ != patches)
        complain(std::to_string(patches_ - patches) + " PATCHes though nothing changed");
    if (writes_ != writes)
        complain(std::to_string(writes_ - writes) + " writes though nothing changed");
}

void Scenario::check_confidential() {
    std::string shown = log_;
    for (const char* plural : {"omniconnections", "omniinstances", "events", "leases"})
        for (const auto* object : world_.kube.all(plural))
            shown += bj::serialize(*object);
    for (const auto& replica : replicas_)
        shown += replica->metrics();
    if (shown.find("confidential-") != std::string::npos)
        complain("a credential can be read in the log, the metrics or the objects");
}

void Scenario::end_all() {
    for (auto& replica : replicas_)
        replica->kill();
    for (int i = 0;
         i < 100 && !std::ranges::all_of(replicas_, [](const auto& r) { return r->quiet(); });
         ++i) {
        time_.run_for(seconds(1));
        for (auto& replica : replicas_)
            replica->reap();
    }
    for (const auto& replica : replicas_)
        if (!replica->quiet())
            complain("a killed process does not end");
}

Report Scenario::run() {
    report_.seed = seed_;
    listen_to_log();
    follow_lease();
    follow_omni();
    follow_key();
    add_replicas();
    plan_faults();
    plan_changes();
    advance(begin_ + trouble_ends + minutes(1));
    say("calm");
    calm_down();
    advance(begin_ + trouble_ends + minutes(10));
    world_.rotate_retired();
    advance(begin_ + calm_until);
    while (!unfinished().empty() && time_.now() < begin_ + latest_end)
        advance(time_.now() + minutes(1));
    for (auto& what : unfinished()) {
        report_.lost += what.find("LOST") != std::string::npos ? 1 : 0;
        complain(std::move(what));
    }
    if (report_.complaints.empty())
        check_silence();
    check_confidential();
    report_.virtual_hours =
        std::chrono::duration<double, std::ratio<3600>>(time_.now() - begin_).count();
    end_all();
    log::configure({});
    report_.deleted_instances = world_.instance.counts.deleted;
    report_.remade_instances = world_.instance.counts.made_again;
    report_.rotations = world_.rotations;
    report_.pushes = oracle_.figures.pushes;
    report_.repeated = oracle_.figures.repeated;
    report_.unknown = oracle_.figures.unknown;
    report_.stale = oracle_.figures.stale;
    report_.crashes = stage_.crashes;
    report_.leaders = oracle_.figures.leaders;
    report_.relists = world_.kube.counts.lists;
    report_.kube_requests = world_.kube.counts.requests;
    report_.omni_requests = oracle_.figures.requests;
    return report_;
}

} // namespace

Report run_scenario(std::uint64_t seed, const std::function<void(const std::string&)>& trace) {
    return Scenario(seed, trace).run();
}

} // namespace oco::sim
