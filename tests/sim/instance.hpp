// The OmniInstance of the simulated world, as its users write it, with the key and the Secret that
// holds it. It may vanish at any moment, and be made again.
#pragma once

#include "kube_model.hpp"
#include "omni_model.hpp"

#include <string>

namespace oco::sim {

inline constexpr std::string_view omni_host = "acme.omniapp.co";
inline constexpr std::string_view instance_namespace = "team-a";
inline constexpr std::string_view instance_name = "omni";

// What is different when it is made again.
enum class Anew {
    nothing,
    spec,         // a higher limit; the address and who may use it are written in another way
    secret,       // another Secret, with the same key
    secret_first, // another key, and its Secret is written before the instance
    secret_later, // another key in another Secret, which is not there yet
};

class ManagedInstance {
  public:
    ManagedInstance(test::SimRuntime& time, KubeModel& kube, OmniModel& omni, std::uint64_t seed,
                    int limit);

    // Requests per minute. It never falls: the operator may not know yet.
    [[nodiscard]] int limit() const { return limit_; }

    void remove();
    // If it is not there.
    void make(Anew how = Anew::nothing);
    // The same, with any difference.
    void make_somehow();

    // Omni takes another key only; and ours again, or rather a new one.
    void revoke_key();
    void restore_key();

    // In the instance's namespace.
    [[nodiscard]] const std::string& secret() const { return secret_; }

    struct Counts {
        std::uint64_t deleted = 0;
        std::uint64_t made_again = 0;
    } counts;

  private:
    [[nodiscard]] bool exists() const;
    void apply();
    void write_secret();
    void name_another_secret();
    // Its beginning, "confidential-", must never be seen anywhere.
    std::string new_key(std::string_view what);
    void choose_key();

    test::SimRuntime& time_;
    KubeModel& kube_;
    OmniModel& omni_;
    Dice dice_;
    int limit_;
    bool other_form_ = false; // of the address, and of who may use it
    std::string secret_ = "key";
    std::string key_;
    int made_ = 0; // keys and Secrets
};

} // namespace oco::sim
