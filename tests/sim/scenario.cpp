#include "scenario.hpp"

#include "base/log.hpp"
#include "claims_oracle.hpp"
#include "convergence.hpp"
#include "dialect_oracle.hpp"
#include "kube_rules.hpp"
#include "rate_oracle.hpp"
#include "status_oracle.hpp"
#include "sweep.hpp"
#include "trouble.hpp"
#include "users.hpp"

#include <boost/json/serialize.hpp>

#include <algorithm>
#include <array>

namespace oco::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr rt::Duration trouble_begins = seconds(20);
constexpr rt::Duration trouble_ends = minutes(23);
constexpr rt::Duration calm_until = minutes(35);
constexpr rt::Duration latest_end = minutes(50);
constexpr rt::Duration silence = minutes(3);
constexpr rt::Duration look_interval = seconds(10);
constexpr int least_faults = 16;
constexpr int most_faults = 24;

bool says_ready(const bj::object& object) {
    return bj::serialize(object.at("status")).find(R"("type":"Ready","status":"True")") !=
           std::string::npos;
}

class Scenario {
  public:
    Scenario(std::uint64_t seed, std::function<void(const std::string&)> trace);

    Report run();

  private:
    void complain(std::string what);
    void say(const std::string& text);
    void listen_to_log();
    void follow_kube();
    void follow_omni(Organization& org);
    void arrived(Organization& org, const OmniModel::ArrivalPointer& arrival);
    void settled(Organization& org, const OmniModel::ArrivalPointer& arrival);
    void written(const std::string& plural, const bj::object& object);
    bool changed_but_for_messages(const bj::object& instance);
    void lease_written(const bj::object& lease);
    void add_replicas();
    void plan_faults();
    void plan_changes();
    void calm_down();
    void look();
    void advance(rt::TimePoint until);
    [[nodiscard]] std::vector<std::string> unfinished() const;
    void check_end();
    void check_silence();
    void check_confidential();
    void end_all();
    void fill_report();

    [[nodiscard]] std::function<void(std::string)> complaints() {
        return [this](std::string what) {
            complain(std::move(what));
        };
    }

    [[nodiscard]] std::function<Name(int)> names() {
        return [this](int number) {
            return world_.objects.at(static_cast<std::size_t>(number)).key;
        };
    }

    [[nodiscard]] rt::Duration way_to(const std::string& host) const {
        return 2 * network_.recent_delay(host);
    }

    std::uint64_t seed_;
    std::function<void(const std::string&)> trace_;
    Report report_;
    Dice dice_;
    test::SimRuntime time_;
    Network network_;
    LeaseView lease_;
    KubeViews kube_views_;
    OmniViews omni_views_;
    PushOracle pushes_;
    World world_;
    RateOracle rate_;
    ClaimsOracle claims_;
    DialectOracle dialects_;
    StatusOracle statuses_;
    Sweep sweep_;
    std::vector<std::unique_ptr<Replica>> replicas_;
    Stage stage_;
    std::string log_;
    rt::TimePoint begin_ = time_.now();
    int kube_troubles_ = 0;
    std::uint64_t writes_ = 0; // to what is Ready
    std::uint64_t stored_ = 0; // PATCHes that changed something in Omni
    std::map<Name, std::string> statuses_without_messages_; // of OmniInstances
};

Scenario::Scenario(std::uint64_t seed, std::function<void(const std::string&)> trace)
    : seed_(seed), trace_(std::move(trace)), dice_(seed, "scenario"), time_(seed),
      network_(time_, seed), lease_(time_), kube_views_(time_), omni_views_(time_),
      pushes_(time_, lease_, complaints()), world_(time_, network_, seed, pushes_),
      rate_(time_, world_.truth, lease_, complaints()),
      claims_(time_,
              {.truth = world_.truth,
               .kube_views = kube_views_,
               .omni_views = omni_views_,
               .orgs = world_.orgs,
               .lease = lease_},
              names(), complaints(), report_.coverage),
      dialects_(world_.truth, omni_views_, names(), complaints()),
      statuses_(
          time_,
          {.truth = world_.truth, .kube_views = kube_views_, .orgs = world_.orgs, .lease = lease_},
          [this](const std::string& process) {
              return std::ranges::any_of(replicas_, [&](const auto& replica) {
                  return replica->address() == process && !replica->stopping();
              });
          },
          complaints()),
      sweep_(world_.truth, world_.orgs, report_.coverage), stage_{.time = time_,
                                                                  .network = network_,
                                                                  .world = world_,
                                                                  .replicas = replicas_,
                                                                  .dice = dice_,
                                                                  .coverage = report_.coverage} {
    world_.quiet_at = begin_ + trouble_ends;
}

void Scenario::complain(std::string what) {
    say("COMPLAINT " + what);
    const auto ms = std::chrono::duration_cast<milliseconds>(time_.now() - begin_).count();
    if (report_.complaints.size() < 20)
        report_.complaints.push_back(std::move(what) + ", at " + std::to_string(ms / 1000) + "." +
                                     std::to_string(1000 + ms % 1000).substr(1) + " s");
}

void Scenario::say(const std::string& text) {
    if (!trace_)
        return;
    const auto ms = std::chrono::duration_cast<milliseconds>(time_.now() - begin_).count();
    trace_(std::to_string(ms / 1000) + "." + std::to_string(1000 + ms % 1000).substr(1) + " " +
           text);
}

void Scenario::listen_to_log() {
    log::configure({.level = log::Level::info,
                    .format = log::Format::text,
                    .clock = [this] { return time_.wall_now(); },
                    .sink =
                        [this](std::string_view line) {
                            log_ += line;
                            if (trace_)
                                say("  " + std::string(line.substr(0, line.size() - 1)));
                            if (line.find("unexpected exception") != std::string_view::npos)
                                complain(std::string(line));
                        }});
}

// --- Kubernetes --------------------------------------------------------------------------------

void Scenario::follow_kube() {
    world_.truth.on_written = [this](const std::string& plural, const bj::object& object) {
        written(plural, object);
    };
    world_.kube.on_shown = [this](const std::string& client, const std::string& plural,
                                  std::uint64_t version) {
        kube_views_.show(client, plural, version);
    };
    world_.kube.on_write = [this](const std::string& client, const std::string& plural,
                                  const Name& name) {
        if (plural == plurals::objects)
            claims_.status_written(client, name);
    };
    world_.kube.on_write_answered = [this](const std::string& client, const std::string& plural,
                                           const Name& name) {
        if (plural == plurals::objects)
            claims_.status_answered(client, name);
    };
    world_.kube.on_request = [this](const HttpRequest& request) {
        if (stage_.loses_instance_in != Use::token_read || request.method != "GET")
            return;
        for (const auto& instance : world_.instances)
            if (request.path == "/api/v1/namespaces/" + instance->secret().first + "/secrets/" +
                                    instance->secret().second)
                instance_used(stage_, Use::token_read, nullptr, instance.get());
    };
}

void Scenario::written(const std::string& plural, const bj::object& object) {
    if (plural == "leases")
        return lease_written(object);
    if (plural == "omniinstances") // a list that was due may count other connections
        writes_ += says_ready(object) && changed_but_for_messages(object) ? 1 : 0;
    if (plural != plurals::objects)
        return;
    const Name name{object.at("metadata").at("namespace").as_string().c_str(),
                    object.at("metadata").at("name").as_string().c_str()};
    const auto* status = world_.truth.status(name);
    writes_ += status != nullptr && status->ready ? 1 : 0;
    if (world_.kube.writer().empty())
        return;
    if (trace_ && status != nullptr)
        say("status: " + shown(name) + " " + status->reason + ", of " +
            (status->applied_anything() ? shown(status->target) : "nothing") +
            (status->applied[0] ? " version " + status->secret_version : ""));
    sweep_.status_written(name);
    statuses_.written(name, world_.kube.writer(),
                      way_to(std::string(kube_host)) + way_to(std::string(omni_hosts[0])));
    look();
}

bool Scenario::changed_but_for_messages(const bj::object& instance) {
    bj::object status = instance.at("status").as_object();
    if (auto* conditions = status.if_contains("conditions"))
        for (auto& condition : conditions->as_array())
            condition.as_object().erase("message");
    const bj::object& meta = instance.at("metadata").as_object();
    std::string& known =
        statuses_without_messages_[{text_at(meta, {"namespace"}), text_at(meta, {"name"})}];
    std::string now = bj::serialize(status);
    return std::exchange(known, now) != now;
}

void Scenario::lease_written(const bj::object& lease) {
    const std::string before = lease_.leader();
    switch (lease_.written(lease)) {
    case LeaseView::Change::none:
        return;
    case LeaseView::Change::released:
        return say("lease: released");
    case LeaseView::Change::taken:
        say("lease: " + lease_.leader() + " leads");
        report_.coverage.met(lease_.clean() ? Met::take_over_clean : Met::take_over_unclean);
        omni_views_.forget(lease_.leader());
        kube_views_.forget(before);
        pushes_.taken_over();
        claims_.look_for_doubt();
    }
}

// --- Omni --------------------------------------------------------------------------------------

void Scenario::follow_omni(Organization& org) {
    org.omni.on_arrival = [this, &org](const OmniModel::ArrivalPointer& arrival) {
        arrived(org, arrival);
    };
    org.omni.on_stored = [this, &org](const OmniModel::ArrivalPointer& arrival) {
        ++stored_;
        say("omni: stored what " + arrival->client + " sent to " +
            shown(Target{org.host(), push_of(arrival->request).connection_id}) +
            (arrival->late ? ", late" : ""));
        sweep_.stored(*arrival, org, lease_.leader(), world_.objects);
        org.note_stored(*arrival);
        look();
    };
    org.omni.on_settled = [this, &org](const OmniModel::ArrivalPointer& arrival) {
        settled(org, arrival);
    };
}

void Scenario::arrived(Organization& org, const OmniModel::ArrivalPointer& arrival) {
    const std::string& host = org.host();
    const Push push = push_of(arrival->request);
    if (trace_)
        say("omni: " + arrival->client + " " + arrival->request.method + " " + host + " " +
            arrival->request.target.substr(
                arrival->request.target.size() > 40 ? arrival->request.target.size() - 4 : 0) +
            " " + arrival->request.body.substr(0, 80));
    ManagedInstance* instance = world_.instance_with(host, arrival->token());
    if (!push.value.empty()) {
        credential_arrived(stage_, org.omni, *arrival);
        instance_used(stage_, Use::push, &org.omni, instance);
    } else if (arrival->lists()) {
        instance_used(stage_, Use::list, &org.omni, instance);
    }
    pushes_.arrived(arrival, org.omni, way_to(host) + milliseconds(100));
    rate_.arrived(*arrival, host);
    claims_.arrived(*arrival, host, 2 * way_to(host));
    dialects_.arrived(*arrival, host);
}

void Scenario::settled(Organization& org, const OmniModel::ArrivalPointer& arrival) {
    if (trace_)
        say("omni: " + arrival->client + " got " + std::to_string(arrival->status) + " for " +
            arrival->request.method +
            (arrival->fate == OmniModel::Fate::unknown ? ", or rather did not" : ""));
    pushes_.settled(arrival, org.host());
    if (arrival->fate != OmniModel::Fate::delivered)
        return;
    sweep_.delivered(*arrival, org, omni_views_, world_.objects, time_.now() - arrival->time);
    omni_views_.delivered(org.host(), *arrival);
}

// --- the course --------------------------------------------------------------------------------

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
    struct Choice {
        const Fault* fault;
        std::uint64_t Report::*count;
    };

    std::vector<Choice> choices;
    const auto add = [&](std::span<const Fault> faults, std::uint64_t Report::*count) {
        for (const auto& fault : faults)
            for (int i = 0; i < fault.weight; ++i)
                choices.push_back({&fault, count});
    };
    add(kube_faults(), &Report::kube_faults);
    add(omni_faults(), &Report::omni_faults);
    add(process_faults(), &Report::process_faults);
    const int count = dice_.number(least_faults, most_faults);
    for (int i = 0; i < count; ++i) {
        const Choice choice = dice_.pick(choices);
        const Fault& fault = *choice.fault;
        const auto from = begin_ + dice_.duration(trouble_begins, trouble_ends - seconds(10));
        const auto until =
            std::min(from + dice_.duration(seconds(1), minutes(3)), begin_ + trouble_ends);
        time_.at(from, [this, &fault, choice] {
            say("FAULT " + std::string(fault.name));
            ++(report_.*choice.count);
            kube_troubles_ += fault.of_kube && fault.end != nullptr ? 1 : 0;
            if (fault.of_kube) {
                statuses_.troubled();
                rate_.troubled();
            }
            fault.begin(stage_);
        });
        if (fault.end != nullptr)
            time_.at(until, [this, &fault] {
                say("over: " + std::string(fault.name));
                kube_troubles_ -= fault.of_kube ? 1 : 0;
                if (fault.of_kube) { // until now
                    statuses_.troubled();
                    rate_.troubled();
                }
                fault.end(stage_);
            });
    }
}

void Scenario::plan_changes() {
    for (auto when = begin_ + seconds(5); when < begin_ + trouble_ends + minutes(1);
         when += dice_.duration(milliseconds(100), seconds(32)))
        time_.at(when, [this] {
            if (const auto what = act(world_, report_.coverage); !what.empty())
                say("user: " + what);
        });
}

void Scenario::calm_down() {
    world_.calm_down(report_.coverage);
    for (auto& replica : replicas_)
        replica->start();
}

void Scenario::look() {
    if (kube_troubles_ > 0) {
        statuses_.troubled();
        rate_.troubled();
    }
    statuses_.look();
}

void Scenario::advance(rt::TimePoint until) {
    while (time_.now() < until) {
        time_.run_until(std::min(until, time_.now() + look_interval));
        look();
        sweep_.look();
        for (auto& replica : replicas_)
            replica->reap();
    }
}

// --- the end -----------------------------------------------------------------------------------

// What is not as it should be, long after the last change.
std::vector<std::string> Scenario::unfinished() const {
    auto out = Convergence(world_.truth, world_.orgs).unfinished();
    for (const auto& instance : world_.instances) {
        const auto& [ns, name] = instance->name();
        const auto* there = world_.kube.find("omniinstances", ns, name);
        const bool good = instance->key().accepted && !instance->settings.suspended;
        if (there == nullptr || (good && !says_ready(*there)))
            out.push_back("end: OmniInstance " + shown(instance->name()) + " is not Ready");
    }
    return out;
}

void Scenario::check_end() {
    while (!unfinished().empty() && time_.now() < begin_ + latest_end)
        advance(time_.now() + minutes(1));
    for (auto& what : unfinished()) {
        report_.lost += what.starts_with("lost") ? 1 : 0;
        complain(std::move(what));
    }
}

// Where nothing changes, nothing is written and nothing is sent.
void Scenario::check_silence() {
    const auto writes = writes_;
    const auto stored = stored_;
    advance(time_.now() + silence);
    if (stored_ != stored)
        complain("silence: " + std::to_string(stored_ - stored) +
                 " PATCHes though nothing changed");
    if (writes_ != writes)
        complain("silence: " + std::to_string(writes_ - writes) +
                 " writes to what is Ready though nothing changed");
}

void Scenario::check_confidential() {
    std::string shown = log_;
    for (const char* plural : {"omniconnections", "omniinstances", "events", "leases"})
        for (const auto* object : world_.kube.all(plural))
            shown += bj::serialize(*object);
    for (const auto& replica : replicas_)
        shown += replica->metrics();
    if (shown.find("confidential-") != std::string::npos)
        complain("custody: a credential can be read in the log, the metrics or the objects");
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
            complain("end: a killed process does not end");
}

void Scenario::fill_report() {
    std::set<std::string> tenants;
    for (const auto& object : world_.objects)
        tenants.insert(object.key.first);
    report_.tenants = tenants.size();
    report_.objects = world_.objects.size();
    report_.instances = world_.instances.size();
    for (const auto& instance : world_.instances) {
        report_.deleted_instances += instance->counts.deleted;
        report_.remade_instances += instance->counts.made_again;
    }
    report_.rotations = world_.secrets.rotations;
    report_.pushes = pushes_.figures.pushes;
    report_.repeated = pushes_.figures.repeated;
    report_.unknown = pushes_.figures.unknown;
    report_.stale = pushes_.figures.stale;
    report_.foreign = claims_.foreign;
    report_.synced = statuses_.figures.synced;
    report_.vouched = statuses_.figures.vouched;
    report_.crashes = stage_.crashes;
    report_.leaders = lease_.figures.leaders;
    report_.relists = world_.kube.counts.lists;
    report_.kube_requests = world_.kube.counts.requests;
    report_.omni_requests = rate_.requests;
}

Report Scenario::run() {
    report_.seed = seed_;
    listen_to_log();
    follow_kube();
    for (std::size_t org = 0; org < world_.orgs.size(); ++org)
        follow_omni(world_.orgs[org]);
    add_replicas();
    plan_faults();
    plan_changes();
    advance(begin_ + trouble_ends + minutes(1));
    say("calm");
    calm_down();
    advance(begin_ + calm_until);
    world_.rotate_retired();
    advance(time_.now() + minutes(1));
    check_end();
    if (report_.complaints.empty())
        check_silence();
    check_confidential();
    report_.virtual_hours =
        std::chrono::duration<double, std::ratio<3600>>(time_.now() - begin_).count();
    end_all();
    log::configure({});
    fill_report();
    return report_;
}

} // namespace

Report run_scenario(std::uint64_t seed, const std::function<void(const std::string&)>& trace) {
    return Scenario(seed, trace).run();
}

} // namespace oco::sim
