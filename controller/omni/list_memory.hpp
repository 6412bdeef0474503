// How much memory the lists of all keys take together: what one key may see must not crowd out the
// others' lists.
#pragma once

#include <cstddef>
#include <memory>
#include <utility>

namespace oco::omni {

class ListMemory {
  public:
    static constexpr std::size_t most = std::size_t{64} << 20;
    // However much the others take: more than 1,000 connections.
    static constexpr std::size_t always = std::size_t{512} << 10;

    // What one list takes, while it is read and as long as it is kept.
    class Share {
      public:
        explicit Share(const ListMemory& of) : taken_(of.taken_) {}

        Share(Share&& other) noexcept
            : taken_(std::move(other.taken_)), bytes_(std::exchange(other.bytes_, std::size_t{0})) {
        }

        Share(const Share&) = delete;
        Share& operator=(const Share&) = delete;
        Share& operator=(Share&&) = delete;

        ~Share() {
            if (taken_)
                *taken_ -= bytes_;
        }

        // False: that is too much, beside what the others take.
        bool resize(std::size_t bytes) {
            *taken_ = *taken_ - bytes_ + bytes;
            bytes_ = bytes;
            return bytes <= always || *taken_ <= most;
        }

      private:
        std::shared_ptr<std::size_t> taken_; // null: moved from
        std::size_t bytes_ = 0;
    };

    [[nodiscard]] std::size_t taken() const { return *taken_; }

  private:
    // Lists may outlive this.
    std::shared_ptr<std::size_t> taken_ = std::make_shared<std::size_t>(0);
};

} // namespace oco::omni
