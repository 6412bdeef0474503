// The process's heap wipes what it frees: std::string, OpenSSL and Beast hold pieces of credentials
// for a moment, and a core dump or a later bug must not find them. Sanitizers bring a heap of their
// own.
#include "wiping_heap.hpp"

#include <openssl/crypto.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <malloc.h>
#include <new>

#if defined(__SANITIZE_ADDRESS__)
#define OCO_OWN_HEAP 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define OCO_OWN_HEAP 0
#else
#define OCO_OWN_HEAP 1
#endif
#else
#define OCO_OWN_HEAP 1
#endif

#if OCO_OWN_HEAP

namespace {

void wiping_free(void* block) noexcept {
    if (block == nullptr)
        return;
    explicit_bzero(block, malloc_usable_size(block));
    std::free(block);
}

void* crypto_malloc(std::size_t size, const char* /*file*/, int /*line*/) {
    return std::malloc(size);
}

void* crypto_realloc(void* block, std::size_t size, const char* /*file*/, int /*line*/) {
    if (block == nullptr)
        return std::malloc(size);
    if (size == 0) {
        wiping_free(block);
        return nullptr;
    }
    void* grown = std::malloc(size);
    if (grown == nullptr)
        return nullptr;
    std::memcpy(grown, block, std::min(size, malloc_usable_size(block)));
    wiping_free(block);
    return grown;
}

void crypto_free(void* block, const char* /*file*/, int /*line*/) {
    wiping_free(block);
}

} // namespace

void* operator new(std::size_t size) {
    if (void* block = std::malloc(size == 0 ? 1 : size))
        return block;
    throw std::bad_alloc();
}

void operator delete(void* block) noexcept {
    wiping_free(block);
}

void operator delete(void* block, std::size_t /*size*/) noexcept {
    wiping_free(block);
}

void oco::use_wiping_heap() {
    CRYPTO_set_mem_functions(crypto_malloc, crypto_realloc, crypto_free);
}

void oco::return_free_memory() {
    constexpr std::size_t worth_a_walk = std::size_t{4} << 20;
    if (mallinfo2().fordblks > worth_a_walk)
        malloc_trim(0);
}

#else

void oco::use_wiping_heap() {}

void oco::return_free_memory() {}

#endif
