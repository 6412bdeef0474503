#include "base/secret_bytes.hpp"

#include <openssl/crypto.h>

#include <algorithm>

namespace oco {

void wipe(void* data, std::size_t size) noexcept {
    if (size != 0)
        OPENSSL_cleanse(data, size);
}

SecretBytes::~SecretBytes() {
    clear();
}

void SecretBytes::clear() noexcept {
    wipe(data_, capacity_);
    delete[] data_;
    data_ = nullptr;
    size_ = capacity_ = 0;
}

void SecretBytes::reserve(std::size_t capacity) {
    if (capacity <= capacity_)
        return;
    // Growing by copy and wipe: realloc could leave the old bytes behind.
    capacity = std::max(capacity, capacity_ * 2);
    char* grown = new char[capacity];
    if (size_ != 0)
        std::memcpy(grown, data_, size_);
    wipe(data_, capacity_);
    delete[] data_;
    data_ = grown;
    capacity_ = capacity;
}

void SecretBytes::append(std::string_view bytes) {
    if (bytes.empty())
        return;
    reserve(size_ + bytes.size());
    std::memcpy(data_ + size_, bytes.data(), bytes.size());
    size_ += bytes.size();
}

void SecretBytes::resize(std::size_t size) {
    if (size < size_) {
        wipe(data_ + size, size_ - size);
    } else if (size > size_) {
        reserve(size);
        std::memset(data_ + size_, 0, size - size_);
    }
    size_ = size;
}

void SecretBytes::erase_front(std::size_t count) {
    count = std::min(count, size_);
    if (count == 0)
        return;
    std::memmove(data_, data_ + count, size_ - count);
    wipe(data_ + size_ - count, count);
    size_ -= count;
}

} // namespace oco
