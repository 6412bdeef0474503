// Who gets a decrypted key, and when. A derivation takes half a second of virtual time.
#include "reconcile/connection/derivations.hpp"
#include "support/sim_runtime.hpp"
#include "unit/omni/test_keys.hpp"

#include <doctest/doctest.h>

using namespace oco;
using namespace std::chrono_literals;
using kube::ObjectKey;
using reconcile::Derivations;

namespace {

std::string encrypted(std::string_view passphrase, int rounds = 10) {
    return test::encrypted_with(test::rsa_key(), test::pbkdf2(rounds, NID_hmacWithSHA512),
                                passphrase);
}

// Objects "namespace/name" that ask again when they are woken.
struct DerivationsFixture {
    test::SimRuntime runtime;
    rt::TimePoint start = runtime.now();
    rt::TaskGroup tasks{runtime};
    std::map<std::string, std::pair<std::string, std::string>> wanted; // PEM and passphrase
    std::vector<std::string> got; // "namespace/name@milliseconds"
    int wakes = 0;
    Derivations derivations{runtime, tasks, [this](const ObjectKey& key) {
                                ++wakes;
                                ask(key.str());
                            }};

    ~DerivationsFixture() {
        tasks.cancel();
        runtime.run_for(1s);
    }

    DerivationsFixture() = default;
    DerivationsFixture(const DerivationsFixture&) = delete;
    DerivationsFixture& operator=(const DerivationsFixture&) = delete;

    static ObjectKey key_of(const std::string& name) {
        const auto slash = name.find('/');
        return {.ns = name.substr(0, slash), .name = name.substr(slash + 1)};
    }

    void ask(const std::string& name) {
        const auto& [pem, passphrase] = wanted.at(name);
        const auto result =
            derivations.get(key_of(name), SecretBytes(pem), SecretBytes(passphrase));
        if (!result)
            return;
        const auto at =
            std::chrono::duration_cast<std::chrono::milliseconds>(runtime.now() - start);
        got.push_back(name + (*result ? "" : " refused") + "@" + std::to_string(at.count()));
        if (*result)
            CHECK(test::is_key((*result)->value.expose(), test::rsa_key()));
    }

    void want(const std::string& name, const std::string& passphrase) {
        wanted[name] = {encrypted(passphrase), passphrase};
        ask(name);
    }

    using Names = std::vector<std::string>;
};

} // namespace

TEST_CASE_FIXTURE(DerivationsFixture, "one at a time, and namespaces take turns") {
    for (const char* name : {"busy/a", "busy/b", "busy/c", "calm/a"})
        want(name, std::string("phrase of ") + name);
    CHECK(got.empty());
    runtime.run_for(10s);
    CHECK(got == Names{"busy/a@500", "calm/a@1000", "busy/b@1500", "busy/c@2000"});
    CHECK(derivations.idle());
}

TEST_CASE_FIXTURE(DerivationsFixture, "costly ones make the others wait for nothing") {
    for (const char* name : {"busy/a", "busy/b", "busy/c"}) {
        wanted[name] = {encrypted(name, 100'000), name};
        ask(name);
    }
    runtime.run_for(100ms);
    for (const char* name : {"calm/a", "busy/d", "calm/b"})
        want(name, name);
    runtime.run_for(10s);
    CHECK(got == Names{"busy/a@500", "busy/d@600", "busy/b@1000", "calm/a@1100", "busy/c@1500",
                       "calm/b@1600"});
    CHECK(derivations.idle());
}

TEST_CASE_FIXTURE(DerivationsFixture, "objects with the same key and passphrase share one result") {
    const std::string shared = encrypted("phrase");
    for (int i = 0; i < 300; ++i) {
        const std::string name = "team/" + std::to_string(i);
        wanted[name] = {shared, "phrase"};
        ask(name);
    }
    runtime.run_for(600ms);
    CHECK(got.size() == 300);
    CHECK(wakes == 300);
    CHECK(derivations.idle());
}

TEST_CASE_FIXTURE(DerivationsFixture, "a wrong passphrase is a result, too, and only its own") {
    const std::string pem = encrypted("right");
    wanted["team/a"] = {pem, "wrong"};
    wanted["team/b"] = {pem, "right"};
    ask("team/a");
    ask("team/b");
    runtime.run_for(10s);
    CHECK(got == Names{"team/a refused@500", "team/b@1000"});
}

TEST_CASE_FIXTURE(DerivationsFixture, "what nobody wants any more is not done") {
    want("busy/a", "first");
    want("busy/b", "old");
    want("busy/b", "new");
    want("busy/c", "gone");
    derivations.forget(key_of("busy/c"));
    runtime.run_for(10s);
    CHECK(got == Names{"busy/a@500", "busy/b@1000"});
    CHECK(derivations.idle());
}

TEST_CASE_FIXTURE(DerivationsFixture, "a result that nobody fetches does not stay") {
    want("busy/a", "phrase");
    wanted["busy/a"] = {encrypted("phrase"), "phrase"}; // another salt: it will ask for another
    runtime.run_for(600ms);
    derivations.forget(key_of("busy/a"));
    want("busy/b", "phrase");
    derivations.forget(key_of("busy/b")); // under way: nothing comes of it
    runtime.run_for(10s);
    CHECK(got.empty());
    CHECK(derivations.idle());
}

TEST_CASE_FIXTURE(DerivationsFixture, "one namespace can't fill the line of another") {
    for (std::size_t i = 0; i < Derivations::most_waiting + 10; ++i) {
        const ObjectKey key{.ns = "busy", .name = std::to_string(i)};
        const std::string passphrase = std::to_string(i);
        CHECK_FALSE(derivations.get(key, SecretBytes("no key"), SecretBytes(passphrase)));
        wanted[key.str()] = {"no key", passphrase};
    }
    want("calm/a", "phrase");
    runtime.run_for(2s);
    CHECK(std::ranges::count(got, "calm/a@1000") == 1);
}
