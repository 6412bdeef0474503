#include "options.hpp"

#include "engine.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <iostream>
#include <sstream>

namespace emulator {
namespace {

struct Arguments {
    std::string listen = "127.0.0.1:8089";
    std::string connections_file;
    std::vector<std::string> tokens;
    std::string token_file;
    std::string window = "sliding";
};

Result<std::string> read_file(const std::string& path) {
    errno = 0;
    std::ifstream file(path, std::ios::binary);
    std::ostringstream text;
    if (file)
        text << file.rdbuf();
    if (!file || file.bad() || text.fail()) {
        return problem("can't read " + path + ": " + std::strerror(errno ? errno : EIO));
    }
    return text.str();
}

Result<void> split_address(const std::string& listen, Options& options) {
    const auto colon = listen.rfind(':');
    auto wrong = problem("--listen: \"" + listen + "\" is not HOST:PORT");
    if (colon == std::string::npos || colon == 0)
        return wrong;
    options.host = listen.substr(0, colon);
    options.port = listen.substr(colon + 1);
    const bool bracketed = options.host.front() == '[' && options.host.back() == ']';
    if (bracketed)
        options.host = options.host.substr(1, options.host.size() - 2);
    if (!bracketed && options.host.find(':') != std::string::npos)
        return wrong;
    unsigned port = 0;
    const char* last = options.port.data() + options.port.size();
    const auto [end, failure] = std::from_chars(options.port.data(), last, port);
    if (failure != std::errc{} || end != last || port > 65535)
        return wrong;
    return {};
}

Result<void> add_token(const std::string& text, std::vector<Token>& tokens) {
    rapidjson::Document document;
    document.SetString(text.data(), static_cast<rapidjson::SizeType>(text.size()));
    auto token = decode_token(document);
    if (!token)
        return token.error();
    const bool known = std::any_of(tokens.begin(), tokens.end(),
                                   [&](const Token& other) { return other.text == text; });
    if (!known)
        tokens.push_back(std::move(*token));
    return {};
}

/// Tokens of the command line first, then the token file's, then those of the YAML file: the order
/// that `tokenIndex` of the request log counts in.
Result<void> collect_tokens(const Arguments& arguments, Seed& seed) {
    std::vector<Token> tokens;
    for (const auto& text : arguments.tokens) {
        if (auto added = add_token(text, tokens); !added) {
            return problem("--token: " + added.error().message);
        }
    }
    if (!arguments.token_file.empty()) {
        const auto text = read_file(arguments.token_file);
        if (!text)
            return problem("--token-file: " + text.error().message);
        std::istringstream words(*text);
        for (std::string word; words >> word;) {
            if (auto added = add_token(word, tokens); !added) {
                return problem("--token-file: " + added.error().message);
            }
        }
    }
    for (auto& token : seed.tokens) {
        const bool known = std::any_of(tokens.begin(), tokens.end(), [&](const Token& other) {
            return other.text == token.text;
        });
        if (!known)
            tokens.push_back(std::move(token));
    }
    seed.tokens = std::move(tokens);
    return {};
}

Result<void> read_seed(const Arguments& arguments, Options& options) {
    if (!arguments.connections_file.empty()) {
        const auto text = read_file(arguments.connections_file);
        if (!text)
            return problem("--connections: " + text.error().message);
        const auto now = std::chrono::duration_cast<std::chrono::milliseconds>(
            std::chrono::system_clock::now().time_since_epoch());
        auto seed = parse_seed(*text, format_time(now));
        if (!seed) {
            return problem("--connections " + arguments.connections_file + ": " +
                           seed.error().message);
        }
        options.seed = std::move(*seed);
    }
    return collect_tokens(arguments, options.seed);
}

void declare(CLI::App& app, Arguments& arguments, Options& options) {
    app.add_option("--listen", arguments.listen, "HOST:PORT to listen on; port 0: any free one")
        ->capture_default_str();
    app.add_option("--connections", arguments.connections_file,
                   "YAML file with the connections Omni has");
    app.add_option("--token", arguments.tokens, "API key to accept, an admin of all (repeatable)")
        ->allow_extra_args(false);
    app.add_option("--token-file", arguments.token_file, "file with one such API key a line");
    app.add_option("--requests-per-minute", options.limits.requests_per_minute,
                   "rate limit of each API key")
        ->check(CLI::Range(1, 1'000'000))
        ->capture_default_str();
    app.add_option("--rate-window", arguments.window, "kind of the rate limit's minute")
        ->check(CLI::IsMember({"sliding", "fixed"}))
        ->capture_default_str();
    app.add_flag("--count-refused", options.limits.count_refused,
                 "requests refused with 429 use up budget, too");
    auto* certificate =
        app.add_option("--tls-cert", options.tls_certificate, "PEM certificate chain");
    auto* key = app.add_option("--tls-key", options.tls_key, "PEM private key");
    certificate->needs(key);
    key->needs(certificate);
    app.add_flag("--exit-with-parent", options.exit_with_parent,
                 "end when the parent process does");
}

} // namespace

std::optional<int> parse_options(int argc, char** argv, Options& options) {
    Arguments arguments;
    CLI::App app("Stands in for Omni's HTTP API in demo and tests", "omni-emulator");
    declare(app, arguments, options);
    const auto complain = [](int code, const std::string& message) {
        std::cerr << "omni-emulator: " << message << "\n";
        return code;
    };
    try {
        app.parse(argc, argv);
    } catch (const CLI::CallForHelp&) {
        std::cout << app.help();
        return 0;
    } catch (const CLI::ParseError& mistake) {
        return complain(2, std::string(mistake.what()) + " (see --help)");
    }
    if (arguments.window == "fixed")
        options.limits.window = RateWindow::fixed;
    if (auto split = split_address(arguments.listen, options); !split) {
        return complain(2, split.error().message);
    }
    if (auto read = read_seed(arguments, options); !read)
        return complain(1, read.error().message);
    if (options.seed.tokens.empty()) {
        return complain(2, "no API key to accept: give --token, --token-file, or \"tokens\" in the "
                           "--connections file");
    }
    return {};
}

} // namespace emulator
