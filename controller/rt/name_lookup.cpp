#include "rt/name_lookup.hpp"

#include "base/text.hpp"
#include "net/authority.hpp"

#include <algorithm>
#include <sys/stat.h>

namespace oco::rt {
namespace {

// How long an answer of one family waits for the other's (RFC 8305, section 3). Few hosts can do
// without IPv4.
constexpr Duration wait_for_v6 = std::chrono::milliseconds(50);
constexpr Duration wait_for_v4 = std::chrono::seconds(1);

std::array<std::int64_t, 4> identity_of(const std::string& path) {
    struct stat file {};

    if (::stat(path.c_str(), &file) != 0)
        return {};
    return {file.st_mtim.tv_sec, file.st_mtim.tv_nsec, static_cast<std::int64_t>(file.st_ino),
            file.st_size};
}

Error lookup_error(const std::string& host, std::string_view why) {
    return make_error(ErrorClass::unavailable,
                      "lookup of " + printable(host, 80) + ": " + std::string(why));
}

} // namespace

// A caller that waits for a query. Once nobody waits for any, nothing is asked any more.
class NameLookup::Wait {
  public:
    Wait(NameLookup& lookup, std::shared_ptr<Query> query)
        : changed(lookup.runtime_), lookup_(lookup), query_(std::move(query)) {
        query_->waiters.push_back(&changed);
        ++lookup_.waiting_;
    }

    Wait(const Wait&) = delete;
    Wait& operator=(const Wait&) = delete;

    ~Wait() {
        std::erase(query_->waiters, &changed);
        if (query_->waiters.empty() && !query_->result)
            lookup_.queries_.erase(query_->host);
        if (--lookup_.waiting_ == 0)
            lookup_.channel_.reset();
    }

    Event changed;

  private:
    NameLookup& lookup_;
    std::shared_ptr<Query> query_;
};

asio::awaitable<Result<Addresses>> NameLookup::addresses(std::string host) {
    if (const auto literal = net::parse_address(host))
        co_return Addresses{*literal};
    if (const auto* known = cache_.find(host, runtime_.now()))
        co_return *known;
    const auto query = join(host);
    Wait wait(*this, query);
    while (!query->result) {
        if (runtime_.now() >= query->enough_at)
            finish(*query);
        else
            co_await wait.changed.wait_until(runtime_, query->enough_at);
    }
    co_return *query->result;
}

std::shared_ptr<NameLookup::Query> NameLookup::join(const std::string& host) {
    if (const auto known = queries_.find(host); known != queries_.end())
        return known->second;
    auto query = std::make_shared<Query>();
    query->host = host;
    if (auto ready = refresh_channel(); !ready) {
        query->result =
            std::make_unique<Result<Addresses>>(lookup_error(host, ready.error().message));
        return query;
    }
    queries_.emplace(host, query);
    ask(query);
    return query;
}

void NameLookup::ask(const std::shared_ptr<Query>& query) {
    query->answers = {};
    query->enough_at = runtime_.now() + limit;
    ask(query, Family::v4, query->host);
    ask(query, Family::v6, query->host);
    // What /etc/hosts has, it has at once, and then it is all.
    for (const auto& answer : query->answers)
        if (!query->result && answer && !answer->addresses.empty())
            finish(*query);
}

void NameLookup::ask(const std::shared_ptr<Query>& query, Family family, const std::string& name) {
    channel_->ask(
        name, family, [this, weak = std::weak_ptr(query), family, name](DnsAnswer answer) {
            const auto asked = weak.lock();
            if (!asked || asked->result)
                return;
            // c-ares gives up where the servers fail for one search domain; glibc goes on.
            if (answer.server_failed && name == asked->host && name.find('.') != std::string::npos)
                ask(asked, family, name + '.');
            else
                receive(*asked, family, std::move(answer));
        });
}

void NameLookup::receive(Query& query, Family family, DnsAnswer answer) {
    const bool found = !answer.addresses.empty();
    query.answers.at(static_cast<std::size_t>(family)) =
        std::make_unique<DnsAnswer>(std::move(answer));
    if (std::ranges::all_of(query.answers, [](const auto& each) { return each != nullptr; })) {
        finish(query);
    } else if (found) {
        const auto patience = family == Family::v4 ? wait_for_v6 : wait_for_v4;
        query.enough_at = std::min(query.enough_at, runtime_.now() + patience);
        for (Event* waiter : query.waiters)
            waiter->notify();
    }
}

void NameLookup::finish(Query& query) {
    const DnsAnswer none{.error = "no answer within 8 s"};
    const auto answer_of = [&](Family family) -> const DnsAnswer& {
        const auto& answer = query.answers.at(static_cast<std::size_t>(family));
        return answer ? *answer : none;
    };
    const DnsAnswer& v4 = answer_of(Family::v4);
    const DnsAnswer& v6 = answer_of(Family::v6);
    // The search domains may lead to a host each, which must not be mixed.
    const bool same = v4.addresses.empty() || v4.name == v6.name;
    auto found = take_turns(same ? v6.addresses : Addresses(), v4.addresses);
    if (found.empty()) {
        query.result = std::make_unique<Result<Addresses>>(lookup_error(query.host, v4.error));
    } else {
        const Duration ttl = v4.addresses.empty() ? v6.ttl : v4.ttl;
        cache_.put(query.host, found, ttl, runtime_.now());
        query.result = std::make_unique<Result<Addresses>>(std::move(found));
    }
    for (Event* waiter : query.waiters)
        waiter->notify();
    queries_.erase(query.host); // the caller owns `query`
}

Result<void> NameLookup::refresh_channel() {
    const auto identity = identity_of(settings_.resolv_conf);
    if (channel_ && identity == read_from_)
        return {};
    auto opened = DnsChannel::open(runtime_.executor(), settings_);
    if (!opened)
        return opened.error();
    channel_ = std::move(*opened); // which abandons what the one before has asked
    read_from_ = identity;
    const auto under_way = queries_; // answers from /etc/hosts end some at once
    for (const auto& [host, query] : under_way)
        ask(query);
    return {};
}

} // namespace oco::rt
