#include "http/codec.hpp"

#include "base/text.hpp"
#include "http/inflate.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/beast/core/buffers_range.hpp>
#include <boost/beast/http/parser.hpp>

#include <optional>

namespace oco::http {
namespace {

namespace beast_http = boost::beast::http;
using boost::system::error_code;

constexpr std::uint32_t max_head_bytes = 64 * 1024;
constexpr int max_interim_answers = 16;

// A Beast body that collects into SecretBytes, which wipes what it outgrows.
struct SecretBody {
    using value_type = SecretBytes;

    class reader {
      public:
        template<bool IsRequest, class Fields>
        reader(beast_http::header<IsRequest, Fields>& /*head*/, value_type& body) : body_(body) {}

        void init(const boost::optional<std::uint64_t>& /*length*/, error_code& ec) { ec = {}; }

        template<class Buffers>
        std::size_t put(const Buffers& buffers, error_code& ec) {
            ec = {};
            std::size_t total = 0;
            for (const auto& buffer : boost::beast::buffers_range(buffers)) {
                body_.append({static_cast<const char*>(buffer.data()), buffer.size()});
                total += buffer.size();
            }
            return total;
        }

        void finish(error_code& ec) { ec = {}; }

      private:
        value_type& body_;
    };
};

Error malformed(const error_code& ec) {
    if (ec == beast_http::error::body_limit)
        return make_error(ErrorClass::too_large, "the response is too large");
    return make_error(ErrorClass::unavailable, "malformed HTTP answer: " + ec.message());
}

// Beast 1.81 asserts that the head of the last chunk, once it has seen it, comes again with at
// least five bytes. That of an empty body has three, and what follows may come later.
bool is_short_last_chunk(std::string_view held) {
    return held.size() < 5 && held.starts_with('0') && held.find("\r\n") != std::string_view::npos;
}

void append_header(SecretBytes& out, std::string_view name, std::string_view value) {
    out.append(name);
    out.append(": ");
    out.append(value);
    out.append("\r\n");
}

} // namespace

std::string_view ResponseHead::header(std::string_view lower_case_name) const {
    for (const auto& [name, value] : headers)
        if (name == lower_case_name)
            return value;
    return {};
}

std::string percent_encode(std::string_view text) {
    constexpr std::string_view digits = "0123456789ABCDEF";
    std::string out;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        const bool unreserved = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                                (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' ||
                                c == '~';
        if (unreserved) {
            out.push_back(c);
        } else {
            out.push_back('%');
            out.push_back(digits[byte >> 4]);
            out.push_back(digits[byte & 0xF]);
        }
    }
    return out;
}

SecretBytes serialize(const Request& request, std::string_view authority,
                      std::string_view user_agent) {
    SecretBytes out;
    out.reserve(512 + request.bearer.size() + request.body.size());
    out.append(request.method);
    out.append(" ");
    out.append(request.target);
    out.append(" HTTP/1.1\r\n");
    append_header(out, "Host", authority);
    append_header(out, "User-Agent", user_agent);
    for (const auto& [name, value] : request.headers)
        append_header(out, name, value);
    if (request.accept_encoding == Encoding::gzip)
        append_header(out, "Accept-Encoding", "gzip");
    if (!request.bearer.empty()) {
        out.append("Authorization: Bearer ");
        out.append(request.bearer.expose());
        out.append("\r\n");
    }
    if (!request.body.empty() || request.method == "POST" || request.method == "PATCH" ||
        request.method == "PUT")
        append_header(out, "Content-Length", std::to_string(request.body.size()));
    out.append("\r\n");
    out.append(request.body.expose());
    return out;
}

struct ResponseParser::Impl {
    using Parser = beast_http::response_parser<SecretBody>;

    Impl(std::size_t most, Encoding asked) : body_limit(most), accepted(asked) { begin(); }

    std::size_t body_limit;
    Encoding accepted;
    std::optional<Parser> parser; // made again after an interim answer
    SecretBytes held; // an incomplete head or chunk head, which Beast wants again in one piece
    std::optional<Inflater> inflater;
    SecretBytes unpacked; // with an inflater; else the body stays in the parser
    bool head_checked = false;
    int interim_answers = 0;

    void begin() {
        parser.emplace();
        parser->eager(true);
        parser->header_limit(max_head_bytes);
        if (body_limit == 0)
            parser->body_limit(boost::none);
        else
            parser->body_limit(body_limit);
    }

    // After each step of the parser.
    Result<void> advance();
    Result<void> check_encoding();
};

Result<void> ResponseParser::Impl::check_encoding() {
    head_checked = true;
    const auto field = parser->get().find(beast_http::field::content_encoding);
    if (field == parser->get().end())
        return {};
    const std::string encoding = to_lower({field->value().data(), field->value().size()});
    if (encoding.empty() || encoding == "identity")
        return {};
    if (accepted != Encoding::gzip)
        return make_error(ErrorClass::unavailable,
                          "the response has a Content-Encoding that was not requested");
    if (encoding != "gzip" && encoding != "x-gzip")
        return make_error(ErrorClass::unavailable,
                          "the response has a Content-Encoding other than gzip");
    inflater.emplace(body_limit);
    return {};
}

Result<void> ResponseParser::Impl::advance() {
    if (!parser->is_header_done())
        return {};
    const int status = static_cast<int>(parser->get().result_int());
    if (status < 100)
        return make_error(ErrorClass::unavailable, "malformed HTTP response: invalid status");
    if (status == 101)
        return make_error(ErrorClass::unavailable, "the response switches to another protocol");
    if (status < 200) {
        if (++interim_answers > max_interim_answers)
            return make_error(ErrorClass::unavailable, "too many interim responses");
        begin();
        return {};
    }
    if (!head_checked)
        if (auto checked = check_encoding(); !checked)
            return checked;
    if (!inflater)
        return {};
    const SecretBytes packed = std::exchange(parser->get().body(), SecretBytes());
    if (auto fed = inflater->feed(packed.expose(), unpacked); !fed)
        return fed;
    if (parser->is_done() && !inflater->complete())
        return make_error(ErrorClass::unavailable, "the compressed response was cut short");
    return {};
}

ResponseParser::ResponseParser(std::size_t body_limit, Encoding accepted)
    : impl_(std::make_unique<Impl>(body_limit, accepted)) {}

ResponseParser::~ResponseParser() = default;
ResponseParser::ResponseParser(ResponseParser&&) noexcept = default;

Result<void> ResponseParser::feed(std::string_view bytes) {
    auto& parser = impl_->parser;
    SecretBytes& held = impl_->held;
    const bool again = !held.empty(); // what comes first was shown to Beast before
    held.append(bytes);
    if (again && is_short_last_chunk(held.expose()))
        return {};
    while (!held.empty()) {
        if (parser->is_done())
            return make_error(ErrorClass::unavailable, "unexpected bytes after the response");
        error_code ec;
        const auto all = held.expose();
        const std::size_t used = parser->put(boost::asio::buffer(all.data(), all.size()), ec);
        held.erase_front(used);
        if (ec && ec != beast_http::error::need_more)
            return malformed(ec);
        if (auto advanced = impl_->advance(); !advanced)
            return advanced;
        if (ec)
            return held.size() > max_head_bytes ? Result<void>(malformed(ec)) : Result<void>();
        if (used == 0)
            return {};
    }
    return {};
}

Result<void> ResponseParser::finish() {
    auto& parser = *impl_->parser;
    if (parser.is_done())
        return {};
    error_code ec;
    if (parser.is_header_done())
        parser.put_eof(ec);
    if (ec || !parser.is_done())
        return make_error(ErrorClass::unavailable,
                          parser.got_some() ? "the response was cut short"
                                            : "the connection was closed without a response");
    return impl_->advance();
}

bool ResponseParser::head_done() const {
    return impl_->parser->is_header_done();
}

bool ResponseParser::done() const {
    return impl_->parser->is_done();
}

ResponseHead ResponseParser::head() const {
    ResponseHead head;
    const auto& message = impl_->parser->get();
    head.status = static_cast<int>(message.result_int());
    head.keep_alive = impl_->parser->keep_alive();
    for (const auto& field : message)
        head.headers.emplace_back(
            to_lower({field.name_string().data(), field.name_string().size()}),
            std::string(field.value()));
    return head;
}

SecretBytes ResponseParser::take_body() {
    SecretBytes& body = impl_->inflater ? impl_->unpacked : impl_->parser->get().body();
    return std::exchange(body, SecretBytes());
}

std::size_t ResponseParser::body_size() const {
    return impl_->inflater ? impl_->unpacked.size() : impl_->parser->get().body().size();
}

} // namespace oco::http
