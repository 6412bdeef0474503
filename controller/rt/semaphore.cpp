#include "rt/semaphore.hpp"

#include <algorithm>

namespace oco::rt {

// Left when the waiter has its permit, gives up, or is cancelled: a permit that came meanwhile goes
// on to the next.
class Semaphore::Place {
  public:
    Place(Semaphore& semaphore, Urgency urgency)
        : semaphore_(semaphore), line_(semaphore.lines_[static_cast<std::size_t>(urgency)]),
          waiter_(semaphore.runtime_), at_(line_.insert(line_.end(), &waiter_)) {}

    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;

    ~Place() {
        if (!waiter_.has_permit)
            line_.erase(at_);
        else if (!taken_)
            semaphore_.release();
    }

    asio::awaitable<void> wait(Duration patience) {
        co_await waiter_.granted.wait_until(semaphore_.runtime_,
                                            semaphore_.runtime_.now() + patience);
    }

    Permit take() {
        taken_ = waiter_.has_permit;
        return taken_ ? Permit(&semaphore_) : Permit();
    }

  private:
    Semaphore& semaphore_;
    Line& line_;
    Waiter waiter_;
    Line::iterator at_; // valid without a permit only
    bool taken_ = false;
};

asio::awaitable<Semaphore::Permit> Semaphore::acquire(Urgency urgency, Duration patience) {
    // Nobody waits while one is free.
    if (free_ > 0) {
        --free_;
        co_return Permit(this);
    }
    Place place(*this, urgency);
    co_await place.wait(patience);
    co_return place.take();
}

void Semaphore::release() {
    const auto line = std::ranges::find_if(lines_, [](const Line& l) { return !l.empty(); });
    if (line == lines_.end()) {
        ++free_;
        return;
    }
    Waiter& next = *line->front();
    line->pop_front();
    next.has_permit = true;
    next.granted.notify();
}

} // namespace oco::rt
