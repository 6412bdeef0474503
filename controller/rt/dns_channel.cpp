#include "rt/dns_channel.hpp"

#include <algorithm>
#include <ares.h>
#include <cerrno>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <system_error>

namespace oco::rt {
namespace {

using boost::system::error_code;

constexpr int first_timeout_ms = 1000; // doubles with each round
constexpr int rounds = 3;

DnsAnswer read_answer(int status, const ares_addrinfo* found) {
    DnsAnswer answer;
    if (status != ARES_SUCCESS || found == nullptr) {
        // Which is also what c-ares 1.18 says when all have answered SERVFAIL or REFUSED.
        answer.server_failed = status == ARES_ECONNREFUSED;
        answer.error = answer.server_failed ? "no DNS server can be reached and answers"
                                            : ares_strerror(status);
        return answer;
    }
    if (found->name != nullptr)
        answer.name = found->name;
    answer.ttl = AddressCache::max_kept;
    for (const auto* node = found->nodes; node != nullptr; node = node->ai_next) {
        answer.ttl = std::min<Duration>(answer.ttl, std::chrono::seconds(node->ai_ttl));
        if (node->ai_family == AF_INET) {
            const auto* ip = reinterpret_cast<const sockaddr_in*>(node->ai_addr);
            answer.addresses.emplace_back(asio::ip::address_v4(ntohl(ip->sin_addr.s_addr)));
        } else {
            const auto* ip = reinterpret_cast<const sockaddr_in6*>(node->ai_addr);
            asio::ip::address_v6::bytes_type bytes;
            std::copy_n(ip->sin6_addr.s6_addr, bytes.size(), bytes.begin());
            answer.addresses.emplace_back(asio::ip::address_v6(bytes, ip->sin6_scope_id));
        }
    }
    if (answer.addresses.empty())
        answer.error = ares_strerror(ARES_ENODATA);
    return answer;
}

// As c-ares calls it, exactly once for each question.
void answered(void* callback, int status, int /*timeouts*/, ares_addrinfo* found) {
    const std::unique_ptr<DnsChannel::Callback> owned(static_cast<DnsChannel::Callback*>(callback));
    const std::unique_ptr<ares_addrinfo, void (*)(ares_addrinfo*)> result(found, ares_freeaddrinfo);
    if (status != ARES_EDESTRUCTION)
        (*owned)(read_answer(status, found));
}

} // namespace

DnsChannel::DnsChannel(asio::any_io_executor executor) : sockets_(executor), timer_(executor) {}

Result<std::shared_ptr<DnsChannel>> DnsChannel::open(asio::any_io_executor executor,
                                                     const DnsSettings& settings) {
    std::shared_ptr<DnsChannel> made(new DnsChannel(executor));
    const int descriptor = epoll_create1(EPOLL_CLOEXEC);
    if (descriptor < 0)
        return make_error(ErrorClass::unavailable, std::generic_category().message(errno));
    made->sockets_.assign(descriptor);
    std::string resolv_conf = settings.resolv_conf;
    ares_options options{};
    options.timeout = first_timeout_ms;
    options.tries = rounds;
    options.udp_port = options.tcp_port = settings.port;
    options.resolvconf_path = resolv_conf.data();
    options.sock_state_cb_data = made.get();
    options.sock_state_cb = [](void* self, ares_socket_t socket, int readable, int writable) {
        static_cast<DnsChannel*>(self)->watch(socket, readable != 0, writable != 0);
    };
    const int status =
        ares_init_options(&made->channel_, &options,
                          ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_UDP_PORT |
                              ARES_OPT_TCP_PORT | ARES_OPT_RESOLVCONF | ARES_OPT_SOCK_STATE_CB);
    if (status != ARES_SUCCESS)
        return make_error(ErrorClass::unavailable, ares_strerror(status));
    return made;
}

DnsChannel::~DnsChannel() {
    if (channel_ != nullptr)
        ares_destroy(channel_);
}

void DnsChannel::ask(const std::string& host, Family family, Callback callback) {
    ares_addrinfo_hints hints{};
    hints.ai_family = family == Family::v4 ? AF_INET : AF_INET6;
    hints.ai_flags = ARES_AI_NOSORT;
    auto owned = std::make_unique<Callback>(std::move(callback));
    ares_getaddrinfo(channel_, host.c_str(), nullptr, &hints, answered, owned.release());
    wait();
}

void DnsChannel::watch(int socket, bool for_reading, bool for_writing) {
    epoll_event event{};
    event.events = (for_reading ? EPOLLIN : 0U) | (for_writing ? EPOLLOUT : 0U);
    event.data.fd = socket;
    const int poll = sockets_.native_handle();
    if (event.events == 0)
        epoll_ctl(poll, EPOLL_CTL_DEL, socket, nullptr);
    else if (epoll_ctl(poll, EPOLL_CTL_MOD, socket, &event) != 0)
        epoll_ctl(poll, EPOLL_CTL_ADD, socket, &event);
}

void DnsChannel::wait() {
    timeval left{};
    if (ares_timeout(channel_, nullptr, &left) == nullptr) { // nothing is asked
        timer_.cancel();
        return;
    }
    const auto resume = [self = weak_from_this()](const error_code& failed) {
        if (const auto channel = self.lock(); channel && !failed)
            channel->process();
    };
    timer_.expires_after(std::chrono::seconds(left.tv_sec) +
                         std::chrono::microseconds(left.tv_usec));
    timer_.async_wait(resume);
    if (!std::exchange(waiting_, true))
        sockets_.async_wait(asio::posix::stream_descriptor::wait_read,
                            [self = weak_from_this(), resume](const error_code& failed) {
                                if (const auto channel = self.lock())
                                    channel->waiting_ = false;
                                resume(failed);
                            });
}

void DnsChannel::process() {
    constexpr int at_once = 16;
    epoll_event events[at_once];
    const int count = epoll_wait(sockets_.native_handle(), events, at_once, 0);
    for (int i = 0; i < count; ++i) {
        const bool failed = (events[i].events & (EPOLLERR | EPOLLHUP)) != 0;
        const auto ready = [&](unsigned what) {
            return failed || (events[i].events & what) != 0 ? events[i].data.fd : ARES_SOCKET_BAD;
        };
        ares_process_fd(channel_, ready(EPOLLIN), ready(EPOLLOUT));
    }
    if (count <= 0) // the time of a question is up
        ares_process_fd(channel_, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    wait();
}

} // namespace oco::rt
