#include "options.hpp"
#include "server.hpp"

#include <boost/asio/signal_set.hpp>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <csignal>
#include <cstdio>
#include <exception>
#include <sstream>
#include <sys/prctl.h>
#include <unistd.h>

namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using emulator::Options;
using emulator::problem;
using emulator::Result;

constexpr int exit_failed = 1;
constexpr int exit_usage = 2;

int fail(int code, const std::string& message) {
    std::fprintf(stderr, "omni-emulator: %s\n", message.c_str());
    return code;
}

Result<asio::ssl::context> load_tls(const std::string& certificate, const std::string& key) {
    asio::ssl::context context(asio::ssl::context::tls_server);
    context.set_options(asio::ssl::context::no_tlsv1 | asio::ssl::context::no_tlsv1_1);
    boost::system::error_code failure;
    context.use_certificate_chain_file(certificate, failure);
    if (failure)
        return problem("--tls-cert " + certificate + ": " + failure.message());
    context.use_private_key_file(key, asio::ssl::context::pem, failure);
    if (failure)
        return problem("--tls-key " + key + ": " + failure.message());
    if (SSL_CTX_check_private_key(context.native_handle()) != 1) {
        ERR_clear_error();
        return problem("--tls-key " + key + " does not belong to the certificate");
    }
    return context;
}

Result<tcp::endpoint> resolve(asio::io_context& io, const Options& options) {
    boost::system::error_code failure;
    tcp::resolver resolver(io);
    const auto found =
        resolver.resolve(options.host, options.port, tcp::resolver::numeric_service, failure);
    if (failure || found.empty())
        return problem("--listen " + options.host + ": unknown host");
    return found.begin()->endpoint();
}

void follow_parent() {
    const auto parent = getppid();
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    // The parent may have died between the two calls; then no signal comes any more.
    if (getppid() != parent)
        std::exit(0);
}

int serve(Options options, std::optional<asio::ssl::context> tls) {
    const bool is_tls = tls.has_value();
    emulator::Engine engine(std::move(options.seed), options.limits);
    emulator::Server server(engine, std::move(tls));
    // Last, so that it goes first: destroying it ends the connections that use the above.
    asio::io_context io(1);
    asio::signal_set signals(io, SIGINT, SIGTERM);
    signals.async_wait([&io](boost::system::error_code, int) { io.stop(); });
    const auto where = resolve(io, options);
    if (!where)
        return fail(exit_usage, where.error().message);
    tcp::endpoint bound;
    try {
        bound = server.start(io, *where);
    } catch (const boost::system::system_error& failure) {
        std::ostringstream address;
        address << *where;
        return fail(exit_failed,
                    "can't listen on " + address.str() + ": " + failure.code().message());
    }
    std::ostringstream line;
    line << "omni-emulator listening on " << (is_tls ? "https://" : "http://") << bound << "\n";
    std::fputs(line.str().c_str(), stdout);
    std::fflush(stdout);
    io.run();
    return 0;
}

} // namespace

int main(int argc, char** argv) try {
    std::signal(SIGPIPE, SIG_IGN);
    Options options;
    if (const auto code = emulator::parse_options(argc, argv, options))
        return *code;
    if (options.exit_with_parent)
        follow_parent();
    std::optional<asio::ssl::context> tls;
    if (!options.tls_certificate.empty()) {
        auto loaded = load_tls(options.tls_certificate, options.tls_key);
        if (!loaded)
            return fail(exit_failed, loaded.error().message);
        tls = std::move(*loaded);
    }
    return serve(std::move(options), std::move(tls));
} catch (const std::exception& exception) {

    return fail(exit_failed, exception.what());
}
