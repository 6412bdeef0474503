#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>

namespace emulator {

class Server;

/// Serves one accepted connection until it ends. Lets no exception out.
boost::asio::awaitable<void> serve_connection(Server& server, boost::asio::ip::tcp::socket socket);

} // namespace emulator
