// What a case of the budget simulation finds: figures, and complaints where they are not as they
// have to be. All of it from what Omni received and from the objects' status.
#pragma once

#include "budget_world.hpp"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace oco::sim {

class Verdict {
  public:
    struct Figures {
        std::size_t requests = 0;
        std::size_t refused = 0; // with 429
        std::size_t largest_window = 0;
        double used = -1;         // of the limit, where it goes slowest; < 0: not of this case
        std::size_t lost = 0;     // connections without their newest values
        std::size_t stale = 0;    // pushes of an older value after a newer one
        std::size_t repeated = 0; // pushes of a value that was accepted before
        std::size_t kube = 0;     // requests to the API server
        std::string more;         // of the case's own
    } figures;

    void expect(bool holds, std::string otherwise);
    // A figure of the case's own, which holds.
    void note(const std::string& name, double figure);

    [[nodiscard]] const std::vector<std::string>& complaints() const { return complaints_; }

  private:
    std::vector<std::string> complaints_;
};

struct RunSettings {
    std::string_view variant;
    std::uint64_t seed = 1;
    Trace trace;
};

struct BudgetCase {
    std::string_view name;
    std::string_view what; // it shows
    std::vector<std::string_view> variants;
    void (*run)(const RunSettings& settings, Verdict& verdict);
};

std::span<const BudgetCase> pace_cases();
std::span<const BudgetCase> refusal_cases();
std::span<const BudgetCase> trouble_cases();

// "fixed" in the variant's name: by the clock's minutes; "counted": refused requests, too.
// Requests a minute of most cases.
inline constexpr std::size_t usual_limit = 60;

emulator::Limits limits_of(std::string_view variant, std::size_t requests_per_minute);

inline constexpr double least_share = 0.98;

// Nothing is lost, all is Ready, no older value followed a newer one, the log is clean; and each
// value was accepted once, except for `repeats`.
void judge_delivery(Verdict& verdict, BudgetWorld& world, std::size_t repeats = 0);
enum class Refusals { none, may_be };

struct Allowance {
    std::size_t untold = 0; // requests of a process that was killed
    Refusals refusals = Refusals::none;
};

// In no minute more requests with one key than the limit, and no 429. Of `untold` requests, as many
// as a tenth of the limit are covered by what a new process keeps in reserve.
void judge_limit(Verdict& verdict, const BudgetWorld& world, std::size_t limit,
                 Allowance allowance = {});
// Where these requests were waiting for each other, the limit was used.
void judge_use(Verdict& verdict, const std::vector<rt::TimePoint>& times, std::size_t limit);

// Now, and for so long, Omni does not accept the key: it is tried about once a minute, nothing else
// is sent, and no object is Ready.
void judge_refused_key(Verdict& verdict, BudgetWorld& world, rt::Duration duration);

double in_seconds(rt::Duration duration);

} // namespace oco::sim
