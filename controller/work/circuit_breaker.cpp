#include "work/circuit_breaker.hpp"

#include <algorithm>
#include <utility>

namespace oco::work {

CircuitBreaker::Change CircuitBreaker::failed(const std::string& key, rt::TimePoint now) {
    forget_before(now - failure_remembered);
    Failing& its = failing_[key];
    its.last = now;
    its.by_itself = its.outlived;
    if (open_)
        return Change::none;
    const auto suspicious =
        std::ranges::count_if(failing_, [](const auto& entry) { return !entry.second.outlived; });
    open_ = static_cast<std::size_t>(suspicious) >= threshold;
    if (!open_)
        return Change::none;
    next_fresh_ = now + fresh_delay;
    return Change::opened;
}

CircuitBreaker::Change CircuitBreaker::succeeded(const std::string& key) {
    failing_.erase(key);
    for (auto& [other, failure] : failing_)
        failure.outlived = true;
    return close();
}

CircuitBreaker::Change CircuitBreaker::close() {
    const bool was_open = std::exchange(open_, false);
    probing_ = false;
    failed_probes_ = 0;
    next_probe_ = {};
    return was_open ? Change::closed : Change::none;
}

bool CircuitBreaker::fails_by_itself(const std::string& key) const {
    const auto found = failing_.find(key);
    return found != failing_.end() && found->second.by_itself;
}

int CircuitBreaker::probe_failed() {
    probing_ = false;
    return ++failed_probes_;
}

// Objects that failed last and are gone must not be remembered for ever.
void CircuitBreaker::forget_before(rt::TimePoint time) {
    if (time < next_sweep_)
        return;
    next_sweep_ = time + failure_remembered;
    std::erase_if(failing_, [&](const auto& entry) { return entry.second.last < time; });
}

} // namespace oco::work
