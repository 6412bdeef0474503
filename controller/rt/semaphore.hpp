// Semaphore: a bounded number of permits for coroutines, urgent ones first.
#pragma once

#include "rt/event.hpp"

#include <array>
#include <cstddef>
#include <list>
#include <utility>

namespace oco::rt {

enum class Urgency { first, high, normal, background };

class Semaphore {
  public:
    // Given back when it is destroyed. Empty: none came in time.
    class Permit {
      public:
        Permit() = default;

        explicit Permit(Semaphore* from) : from_(from) {}

        Permit(Permit&& other) noexcept : from_(std::exchange(other.from_, nullptr)) {}

        Permit& operator=(Permit&& other) noexcept {
            std::swap(from_, other.from_);
            return *this;
        }

        ~Permit() {
            if (from_ != nullptr)
                from_->release();
        }

        explicit operator bool() const { return from_ != nullptr; }

      private:
        Semaphore* from_ = nullptr;
    };

    Semaphore(Runtime& runtime, std::size_t permits) : runtime_(runtime), free_(permits) {}

    Semaphore(const Semaphore&) = delete; // permits and waiters know it
    Semaphore& operator=(const Semaphore&) = delete;
    ~Semaphore() = default;

    // In the order of urgency, then of arrival; an empty permit after `patience`. The semaphore
    // must outlive the call and the permit.
    asio::awaitable<Permit> acquire(Urgency urgency, Duration patience);

  private:
    struct Waiter {
        explicit Waiter(Runtime& runtime) : granted(runtime) {}

        Event granted;
        bool has_permit = false;
    };

    using Line = std::list<Waiter*>;
    class Place; // of a waiter in its line

    void release();

    Runtime& runtime_;
    std::size_t free_;
    std::array<Line, 4> lines_; // by urgency
};

} // namespace oco::rt
