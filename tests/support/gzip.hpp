// Packs texts as a server would.
#pragma once

#include <stdexcept>
#include <string>
#include <zlib.h>

namespace oco::test {

class GzipStream {
  public:
    GzipStream() {
        constexpr int gzip_only = 16 + MAX_WBITS;
        if (deflateInit2(&stream_, Z_DEFAULT_COMPRESSION, Z_DEFLATED, gzip_only, 8,
                         Z_DEFAULT_STRATEGY) != Z_OK)
            throw std::runtime_error("zlib does not start");
    }

    GzipStream(const GzipStream&) = delete;
    GzipStream& operator=(const GzipStream&) = delete;

    ~GzipStream() { deflateEnd(&stream_); }

    // All that a reader needs to see `text`, and no more to come before the next.
    std::string flushed(const std::string& text) { return pack(text, Z_SYNC_FLUSH); }

    std::string finished(const std::string& text = "") { return pack(text, Z_FINISH); }

  private:
    std::string pack(std::string text, int flush) {
        std::string out(text.size() + 1024, '\0');
        stream_.next_in = reinterpret_cast<Bytef*>(text.data());
        stream_.avail_in = static_cast<uInt>(text.size());
        stream_.next_out = reinterpret_cast<Bytef*>(out.data());
        stream_.avail_out = static_cast<uInt>(out.size());
        deflate(&stream_, flush);
        out.resize(out.size() - stream_.avail_out);
        return out;
    }

    z_stream stream_{};
};

inline std::string gzip(const std::string& text) {
    return GzipStream().finished(text);
}

} // namespace oco::test
