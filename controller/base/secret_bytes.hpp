// SecretBytes: the only type that holds a credential. It has no stream operator and no implicit
// copy, and its memory is overwritten before it is given back.
#pragma once

#include <cstddef>
#include <cstring>
#include <string_view>
#include <utility>

namespace oco {

// Overwrites memory in a way that the optimiser keeps.
void wipe(void* data, std::size_t size) noexcept;

class SecretBytes {
  public:
    SecretBytes() noexcept = default;

    explicit SecretBytes(std::string_view bytes) { append(bytes); }

    SecretBytes(const SecretBytes&) = delete;
    SecretBytes& operator=(const SecretBytes&) = delete;

    SecretBytes(SecretBytes&& other) noexcept { swap(other); }

    SecretBytes& operator=(SecretBytes&& other) noexcept {
        SecretBytes(std::move(other)).swap(*this);
        return *this;
    }

    ~SecretBytes();

    // Copies are explicit, so that each is seen in review.
    [[nodiscard]] SecretBytes clone() const { return SecretBytes(expose()); }

    // The bytes themselves: for sending, digesting and parsing only, never for a message.
    [[nodiscard]] std::string_view expose() const noexcept { return {data_, size_}; }

    [[nodiscard]] char* data() noexcept { return data_; }

    [[nodiscard]] std::size_t size() const noexcept { return size_; }

    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }

    // `bytes` must not point into this object.
    void append(std::string_view bytes);

    void push_back(char byte) { append({&byte, 1}); }

    // New bytes, when it grows, are zero.
    void resize(std::size_t size);
    void reserve(std::size_t capacity);
    void erase_front(std::size_t count);
    // Wipes all, keeps nothing.
    void clear() noexcept;

    void swap(SecretBytes& other) noexcept {
        std::swap(data_, other.data_);
        std::swap(size_, other.size_);
        std::swap(capacity_, other.capacity_);
    }

  private:
    char* data_ = nullptr;
    std::size_t size_ = 0;
    std::size_t capacity_ = 0;
};

} // namespace oco
