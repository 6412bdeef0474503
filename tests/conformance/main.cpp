// One suite for two servers: the simulation's model of the Kubernetes API has to pass what a real
// kube-apiserver passes.
#include "model_server.hpp"
#include "real_server.hpp"
#include "rt/deadline.hpp"
#include "rt/task_group.hpp"
#include "steps.hpp"

#include <CLI/CLI.hpp>

#include <cstdio>
#include <map>
#include <set>

namespace {

using namespace oco;
using namespace oco::conformance;

constexpr rt::Duration case_limit = std::chrono::minutes(5);

struct Outcome {
    std::string complaint; // empty: passed
    double seconds = 0;
};

asio::awaitable<Result<void>> run_in_namespace(Server& server, const Case& chosen, std::string ns) {
    co_await create(server, kube::resources::namespaces, "",
                    R"({"apiVersion":"v1","kind":"Namespace","metadata":{"name":")" + ns + "\"}}");
    co_await chosen.run(server, ns);
    co_return Result<void>();
}

asio::awaitable<void> run_case(Server& server, const Case& chosen, std::string ns,
                               Outcome& outcome) {
    auto& runtime = server.runtime();
    const auto began = runtime.now();
    try {
        auto done = co_await rt::with_deadline(runtime, case_limit,
                                               run_in_namespace(server, chosen, std::move(ns)));
        if (!done)
            outcome.complaint = done.error().message;
    } catch (const std::exception& failure) {
        outcome.complaint = failure.what();
    }
    outcome.seconds = std::chrono::duration<double>(runtime.now() - began).count();
}

std::string namespace_name(std::size_t number) {
    return "case-" + std::to_string(number);
}

void print(const Case& chosen, const Outcome& outcome) {
    std::printf("%-6s %-45s %6.2f s  %s\n", outcome.complaint.empty() ? "ok" : "FAILED",
                std::string(chosen.name).c_str(), outcome.seconds, outcome.complaint.c_str());
    std::fflush(stdout);
}

// --- the model: each case in a world of its own ----------------------------------------------

Outcome run_on_model(const Case& chosen, std::uint64_t seed, const FaultyModel* fault) {
    Outcome outcome;
    ModelServer server(seed, fault);
    rt::TaskGroup tasks(server.runtime());
    tasks.spawn(run_case(server, chosen, namespace_name(1), outcome));
    while (tasks.size() > 0) // at its limit it is cut
        server.time().run_for(std::chrono::minutes(1));
    return outcome;
}

int check_model(const std::vector<Case>& cases, std::uint64_t seeds) {
    std::size_t failures = 0;
    for (const Case& chosen : cases) {
        Outcome outcome;
        for (std::uint64_t seed = 1; seed <= seeds && outcome.complaint.empty(); ++seed) {
            outcome = run_on_model(chosen, seed, nullptr);
            if (!outcome.complaint.empty())
                outcome.complaint = "seed " + std::to_string(seed) + ": " + outcome.complaint;
        }
        failures += outcome.complaint.empty() ? 0 : 1;
        print(chosen, outcome);
    }
    std::printf("conformance: %zu cases against the model, %llu seeds each, %zu failed\n",
                cases.size(), static_cast<unsigned long long>(seeds), failures);
    return failures == 0 ? 0 : 1;
}

// Each case has to notice some faulty model, and each of these has to be noticed.
int check_lies(const std::vector<Case>& cases) {
    std::map<std::string_view, std::size_t> noticed;
    std::size_t missed = 0;
    for (const FaultyModel& model : all_faulty_models()) {
        std::vector<std::string_view> by;
        for (const Case& chosen : cases)
            if (!run_on_model(chosen, 1, &model).complaint.empty()) {
                by.push_back(chosen.name);
                ++noticed[chosen.name];
            }
        missed += by.empty() ? 1 : 0;
        std::printf("%-40s noticed by %zu%s%s\n", std::string(model.name).c_str(), by.size(),
                    by.empty() ? "" : ", as: ", by.empty() ? "" : std::string(by.front()).c_str());
    }
    for (const Case& chosen : cases)
        if (!noticed.contains(chosen.name))
            std::printf("notices nothing: %s\n", std::string(chosen.name).c_str());
    std::printf("faulty models: %zu of %zu noticed; %zu of %zu cases notice one\n",
                all_faulty_models().size() - missed, all_faulty_models().size(), noticed.size(),
                cases.size());
    return missed == 0 && noticed.size() == cases.size() ? 0 : 1;
}

// --- the real one: all cases side by side ----------------------------------------------------

asio::awaitable<void> run_all(Server& server, const std::vector<Case>& cases,
                              std::vector<Outcome>& outcomes, std::string& version) {
    const auto answer = must(co_await server.client().get("/version"));
    version = json::string_at(answer, "gitVersion");
    rt::TaskGroup tasks(server.runtime());
    for (std::size_t i = 0; i < cases.size(); ++i)
        tasks.spawn(run_case(server, cases[i], namespace_name(i + 1), outcomes[i]));
    co_await tasks.join();
}

int check_real(const std::vector<Case>& cases, const std::string& kubeconfig) {
    asio::io_context context(1);
    auto server = RealServer::make(context, kubeconfig);
    if (!server) {
        std::fprintf(stderr, "%s\n", server.error().message.c_str());
        return 1;
    }
    std::vector<Outcome> outcomes(cases.size());
    std::string version;
    std::exception_ptr failure;
    asio::co_spawn(context, run_all(**server, cases, outcomes, version),
                   [&failure, &context](const std::exception_ptr& thrown) {
                       failure = thrown;
                       context.stop(); // idle connections are still watched
                   });
    context.run();
    if (failure)
        std::rethrow_exception(failure);
    std::size_t failures = 0;
    for (std::size_t i = 0; i < cases.size(); ++i) {
        failures += outcomes[i].complaint.empty() ? 0 : 1;
        print(cases[i], outcomes[i]);
    }
    std::printf("conformance: %zu cases against kube-apiserver %s, %zu failed\n", cases.size(),
                version.c_str(), failures);
    return failures == 0 ? 0 : 1;
}

std::vector<Case> chosen_cases(const std::string& part) {
    std::vector<Case> cases = all_cases();
    std::erase_if(cases, [&part](const Case& known) {
        return known.name.find(part) == std::string_view::npos;
    });
    return cases;
}

} // namespace

std::vector<Case> oco::conformance::all_cases() {
    std::vector<Case> all;
    for (const auto& part : {object_cases(), status_cases(), list_cases(), watch_cases(),
                             lease_cases(), event_cases(), watcher_cases()})
        all.insert(all.end(), part.begin(), part.end());
    return all;
}

int main(int argc, char** argv) {
    bool model = false;
    bool faulty_models = false;
    std::string kubeconfig;
    std::string part;
    std::uint64_t seeds = 20;
    CLI::App app("Holds the simulation's model of the Kubernetes API against the real one.");
    app.add_flag("--model", model, "against the model");
    app.add_option("--seeds", seeds, "with --model: how many for each case");
    app.add_flag("--faulty", faulty_models, "against models that are wrong: which cases notice");
    app.add_option("--kubeconfig", kubeconfig, "against a real server, as its administrator");
    app.add_option("--case", part, "only cases with this in their names");
    CLI11_PARSE(app, argc, argv);
    const auto cases = chosen_cases(part);
    try {
        if (faulty_models)
            return check_lies(cases);
        if (model)
            return check_model(cases, seeds);
        if (!kubeconfig.empty())
            return check_real(cases, kubeconfig);
    } catch (const std::exception& failure) {
        std::fprintf(stderr, "kube_conformance: %s\n", failure.what());
        return 1;
    }
    std::fprintf(stderr, "--model, --faulty or --kubeconfig FILE\n");
    return 2;
}
