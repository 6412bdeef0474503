#include "http/codec.hpp"
#include "support/gzip.hpp"

#include <doctest/doctest.h>

#include <initializer_list>

using namespace oco;
using namespace oco::http;

namespace {

// Everything in single bytes; the error, or an empty text.
std::string feed_slowly(ResponseParser& parser, std::string_view bytes) {
    for (std::size_t i = 0; i < bytes.size(); ++i)
        if (auto fed = parser.feed(bytes.substr(i, 1)); !fed)
            return fed.error().message;
    return {};
}

std::string chunked(std::initializer_list<std::string> chunks) {
    std::string out;
    for (const auto& chunk : chunks) {
        char size[16];
        std::snprintf(size, sizeof size, "%zx", chunk.size());
        out.append(size).append("\r\n").append(chunk).append("\r\n");
    }
    return out;
}

const std::string gzip_head = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n";

std::string gzip_answer(const std::string& packed) {
    return gzip_head + "Content-Length: " + std::to_string(packed.size()) + "\r\n\r\n" + packed;
}

std::string error_of(const std::string& bytes, Encoding accepted, std::size_t limit = 1000) {
    ResponseParser parser(limit, accepted);
    auto fed = parser.feed(bytes);
    if (fed && !parser.done())
        fed = parser.finish();
    return fed ? "" : fed.error().message;
}

} // namespace

TEST_CASE("codec: gzip is asked for only where the request says so") {
    Request request;
    CHECK(serialize(request, "h:443", "me").expose() ==
          "GET / HTTP/1.1\r\nHost: h:443\r\nUser-Agent: me\r\n\r\n");
    request.accept_encoding = Encoding::gzip;
    CHECK(serialize(request, "h:443", "me").expose() ==
          "GET / HTTP/1.1\r\nHost: h:443\r\nUser-Agent: me\r\nAccept-Encoding: gzip\r\n\r\n");
}

TEST_CASE("codec: interim answers are skipped") {
    for (const bool slowly : {false, true}) {
        CAPTURE(slowly);
        const std::string bytes = "HTTP/1.1 100 Continue\r\n\r\n"
                                  "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
                                  "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
        ResponseParser parser(100);
        if (slowly)
            CHECK(feed_slowly(parser, bytes).empty());
        else
            CHECK(parser.feed(bytes).has_value());
        REQUIRE(parser.done());
        CHECK(parser.head().status == 200);
        CHECK(parser.head().header("link").empty());
        CHECK(parser.take_body().expose() == "ok");
    }
    ResponseParser waiting(100);
    CHECK(waiting.feed("HTTP/1.1 100 Continue\r\n\r\n").has_value());
    CHECK(!waiting.head_done());
    CHECK(!waiting.done());
    CHECK(waiting.finish().error().message == "the connection was closed without a response");

    std::string endless;
    for (int i = 0; i < 17; ++i)
        endless += "HTTP/1.1 103 Early Hints\r\n\r\n";
    CHECK(error_of(endless, Encoding::identity) == "too many interim responses");
    CHECK(error_of("HTTP/1.1 031 What\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", Encoding::identity) ==
          "malformed HTTP response: invalid status");
    CHECK(error_of("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", Encoding::identity) ==
          "the response switches to another protocol");
}

TEST_CASE("codec: whether the connection may be used again") {
    struct Case {
        const char* head;
        bool keep_alive;
    };

    for (const Case& c : {Case{"HTTP/1.1 200 OK\r\n", true},
                          {"HTTP/1.1 200 OK\r\nConnection: close\r\n", false},
                          {"HTTP/1.1 200 OK\r\nConnection: Close\r\n", false},
                          {"HTTP/1.0 200 OK\r\n", false},
                          {"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n", true}}) {
        CAPTURE(c.head);
        ResponseParser parser(100);
        CHECK(parser.feed(std::string(c.head) + "Content-Length: 0\r\n\r\n").has_value());
        REQUIRE(parser.done());
        CHECK(parser.head().keep_alive == c.keep_alive);
    }
}

TEST_CASE("codec: an empty body in chunks, however it is cut") {
    const std::string head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (const std::string last :
         {"0\r\n\r\n", "00\r\n\r\n", "0;x=y\r\n\r\n", "0\r\nA: b\r\n\r\n"}) {
        for (std::size_t first = 1; first < last.size(); ++first)
            for (std::size_t second = first; second < last.size(); ++second) {
                CAPTURE(first);
                CAPTURE(second);
                http::ResponseParser parser(1000, http::Encoding::identity);
                CHECK(parser.feed(head).has_value());
                for (const auto& piece : {last.substr(0, first), last.substr(first, second - first),
                                          last.substr(second)})
                    CHECK(parser.feed(piece).has_value());
                CHECK(parser.done());
                CHECK(parser.take_body().empty());
            }
        http::ResponseParser cut(1000, http::Encoding::identity);
        CHECK(cut.feed(head).has_value());
        CHECK(cut.feed("0\r\n").has_value());
        CHECK(cut.feed("\r").has_value());
        CHECK_FALSE(cut.finish().has_value());
    }
}

TEST_CASE("codec: gzip, in one piece and in single bytes, with a length and in chunks") {
    const std::string text = R"({"items":[)" + std::string(50'000, 'x') + "]}";
    const std::string packed = test::gzip(text);
    const std::string in_chunks =
        gzip_head + "Transfer-Encoding: chunked\r\n\r\n" +
        chunked({packed.substr(0, 5), packed.substr(5), ""}); // the empty one is the last
    for (const std::string& bytes : {gzip_answer(packed), in_chunks}) {
        ResponseParser whole(100'000, Encoding::gzip);
        CHECK(whole.feed(bytes).has_value());
        REQUIRE(whole.done());
        CHECK(whole.take_body().expose() == text);
        ResponseParser slow(100'000, Encoding::gzip);
        CHECK(feed_slowly(slow, bytes).empty());
        REQUIRE(slow.done());
        CHECK(slow.take_body().expose() == text);
    }
    // Until the end of the connection.
    ResponseParser open_ended(100'000, Encoding::gzip);
    CHECK(open_ended.feed(gzip_head + "\r\n" + packed).has_value());
    CHECK(!open_ended.done());
    CHECK(open_ended.finish().has_value());
    CHECK(open_ended.take_body().expose() == text);
    // No body at all, and one that is not packed although it might be.
    CHECK(error_of(gzip_head + "Content-Length: 0\r\n\r\n", Encoding::gzip).empty());
    CHECK(error_of("HTTP/1.1 204 No\r\nContent-Encoding: gzip\r\n\r\n", Encoding::gzip).empty());
    ResponseParser plain(100, Encoding::gzip);
    CHECK(plain
              .feed("HTTP/1.1 200 OK\r\nContent-Encoding: identity\r\nContent-Length: 2\r\n\r\n"
                    "ok")
              .has_value());
    CHECK(plain.take_body().expose() == "ok");
}

TEST_CASE("codec: a packed watch gives each event as it comes") {
    test::GzipStream events;
    ResponseParser parser(0, Encoding::gzip);
    CHECK(parser.feed(gzip_head + "Transfer-Encoding: chunked\r\n\r\n").has_value());
    for (const std::string& event : {std::string("{\"a\":1}\n"), std::string("{\"b\":2}\n")}) {
        CHECK(parser.feed(chunked({events.flushed(event)})).has_value());
        CHECK(parser.take_body().expose() == event);
    }
    CHECK(parser.take_body().empty());
    CHECK(parser.feed(chunked({events.finished()}) + "0\r\n\r\n").has_value());
    CHECK(parser.done());
}

TEST_CASE("codec: encodings that were not asked for, and packed answers that are not whole") {
    const std::string packed = test::gzip("hello, hello, hello");
    CHECK(error_of(gzip_answer(packed), Encoding::identity) ==
          "the response has a Content-Encoding that was not requested");
    CHECK(error_of("HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 1\r\n\r\nx",
                   Encoding::gzip) == "the response has a Content-Encoding other than gzip");
    const std::string cut = "the compressed response was cut short";
    CHECK(error_of(gzip_answer(packed.substr(0, packed.size() - 1)), Encoding::gzip) == cut);
    CHECK(error_of(gzip_head + "\r\n" + packed.substr(0, 12), Encoding::gzip) == cut);
    CHECK(error_of(gzip_head + "Transfer-Encoding: chunked\r\n\r\n" +
                       chunked({packed.substr(0, 12), ""}),
                   Encoding::gzip) == cut);
    CHECK(error_of(gzip_answer("hello"), Encoding::gzip) == "the compressed response is corrupt");
    std::string damaged = packed;
    damaged[damaged.size() - 6] ^= 1; // its checksum
    CHECK(error_of(gzip_answer(damaged), Encoding::gzip) == "the compressed response is corrupt");
    CHECK(error_of(gzip_answer(packed + "x"), Encoding::gzip) ==
          "unexpected bytes after the compressed response");
}

TEST_CASE("codec: the limit of a body holds for what is packed and what comes out") {
    const std::string bomb = test::gzip(std::string(1'000'000, '0'));
    REQUIRE(bomb.size() < 2000);
    CHECK(error_of(gzip_answer(bomb), Encoding::gzip, 999'999) ==
          "the decompressed response is too large");
    CHECK(error_of(gzip_answer(bomb), Encoding::gzip, 1'000'000).empty());
    CHECK(error_of(gzip_answer(bomb), Encoding::gzip, 500) == "the response is too large");
    CHECK(error_of("HTTP/1.1 200 OK\r\nX: " + std::string(70'000, 'x') + "\r\n\r\n",
                   Encoding::identity)
              .starts_with("malformed HTTP answer"));
}
