#include "server.hpp"

#include "session.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace emulator {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

asio::awaitable<void> accept_connections(Server& server, tcp::acceptor acceptor) {
    for (;;) {
        auto [failure, socket] =
            co_await acceptor.async_accept(asio::as_tuple(asio::use_awaitable));
        if (failure == asio::error::operation_aborted)
            co_return;
        if (failure) {
            // Out of descriptors, most likely: give connections time to end.
            asio::steady_timer pause(acceptor.get_executor(), std::chrono::milliseconds(50));
            co_await pause.async_wait(asio::as_tuple(asio::use_awaitable));
            continue;
        }
        asio::co_spawn(acceptor.get_executor(), serve_connection(server, std::move(socket)),
                       asio::detached);
    }
}

} // namespace

tcp::endpoint Server::start(asio::io_context& io, const tcp::endpoint& where) {
    tcp::acceptor acceptor(io, where.protocol());
    acceptor.set_option(tcp::acceptor::reuse_address(true));
    acceptor.bind(where);
    acceptor.listen();
    auto address = acceptor.local_endpoint();
    asio::co_spawn(io, accept_connections(*this, std::move(acceptor)), asio::detached);
    return address;
}

} // namespace emulator
