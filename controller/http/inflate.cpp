#include "http/inflate.hpp"

#include <array>
#include <new>
#include <zlib.h>

namespace oco::http {
namespace {

constexpr std::size_t chunk_bytes = std::size_t{16} * 1024;
constexpr int gzip_only = 16 + MAX_WBITS;

// zlib keeps the last 32 KiB of what came out: its memory is wiped when it is given back. The size
// stands in front of each block.
constexpr std::size_t prefix_bytes = alignof(std::max_align_t);

void* allocate(void* /*opaque*/, unsigned items, unsigned size) {
    const std::size_t bytes = prefix_bytes + std::size_t{items} * size;
    auto* block = static_cast<unsigned char*>(::operator new(bytes, std::nothrow));
    if (block == nullptr)
        return nullptr;
    std::memcpy(block, &bytes, sizeof bytes);
    return block + prefix_bytes;
}

void release(void* /*opaque*/, void* memory) {
    auto* block = static_cast<unsigned char*>(memory) - prefix_bytes;
    std::size_t bytes = 0;
    std::memcpy(&bytes, block, sizeof bytes);
    wipe(block, bytes);
    ::operator delete(block);
}

Error failure(const char* what) {
    return make_error(ErrorClass::unavailable, what);
}

} // namespace

struct Inflater::State {
    explicit State(std::size_t most) : limit(most) {
        stream.zalloc = allocate;
        stream.zfree = release;
        if (inflateInit2(&stream, gzip_only) != Z_OK)
            throw std::bad_alloc();
    }

    State(const State&) = delete;
    State& operator=(const State&) = delete;

    ~State() {
        inflateEnd(&stream);
        wipe(chunk.data(), chunk.size());
    }

    z_stream stream{};
    std::array<char, chunk_bytes> chunk{};
    std::size_t limit;
    std::size_t total = 0;
    enum class Progress { nothing, some, all } progress = Progress::nothing;
};

Inflater::Inflater(std::size_t limit) : state_(std::make_unique<State>(limit)) {}

Inflater::~Inflater() = default;

Result<void> Inflater::feed(std::string_view bytes, SecretBytes& out) {
    auto& [stream, chunk, limit, total, progress] = *state_;
    if (bytes.empty())
        return {};
    if (progress == State::Progress::all)
        return failure("unexpected bytes after the compressed response");
    progress = State::Progress::some;
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data())); // read only
    stream.avail_in = static_cast<uInt>(bytes.size());
    do {
        stream.next_out = reinterpret_cast<Bytef*>(chunk.data());
        stream.avail_out = static_cast<uInt>(chunk.size());
        // What was flushed comes out at once, so that a watch's events are not held back.
        const int result = inflate(&stream, Z_SYNC_FLUSH);
        if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR)
            return failure("the compressed response is corrupt");
        const std::size_t size = chunk.size() - stream.avail_out;
        total += size;
        if (limit != 0 && total > limit)
            return make_error(ErrorClass::too_large, "the decompressed response is too large");
        out.append({chunk.data(), size});
        if (result == Z_STREAM_END) {
            progress = State::Progress::all;
            return stream.avail_in == 0 ? Result<void>()
                                        : failure("unexpected bytes after the compressed response");
        }
    } while (stream.avail_in != 0 || stream.avail_out == 0);
    return {};
}

bool Inflater::complete() const {
    return state_->progress != State::Progress::some;
}

} // namespace oco::http
