#include "work/circuit_breaker.hpp"

namespace oco::work {

CircuitBreaker::Change CircuitBreaker::failed(const std::string& key) {
    if (open_)
        return Change::none;
    failing_.insert(key);
    open_ = failing_.size() >= threshold;
    return open_ ? Change::opened : Change::none;
}

CircuitBreaker::Change CircuitBreaker::succeeded() {
    const bool was_open = open_;
    *this = {};
    return was_open ? Change::closed : Change::none;
}

int CircuitBreaker::probe_failed() {
    probing_ = false;
    return ++failed_probes_;
}

} // namespace oco::work
