// The way of a PATCH to Omni: its turn, the Lease, and the request. A dry run has another, which
// only reports.
#pragma once

#include "reconcile/account/granted_request.hpp"
#include "reconcile/connection/decide.hpp"
#include "reconcile/status/status_writer.hpp"

#include <memory>
#include <optional>
#include <unordered_map>

namespace oco::reconcile {

// One PATCH that is to be sent.
struct PendingPush {
    ObjectKey key; // of the OmniConnection
    kube::ObjectMeta meta;
    ObjectKey instance;
    Target target;
    Send send;
    std::string digest; // of all that it holds
    std::shared_ptr<AccountClient> client;
    std::unique_ptr<GrantedRequest> request; // its slot, once it may go
    std::shared_ptr<Account> waits_at;       // where the key waits for one
};

class Sender {
  public:
    Sender() = default;
    Sender(const Sender&) = delete;
    Sender& operator=(const Sender&) = delete;
    virtual ~Sender() = default;

    // Nullopt: it may be sent at once, and deliver() follows. Otherwise what there is to say; the
    // key comes again.
    virtual std::optional<Outcome> admit(PendingPush& push, rt::TimePoint now) = 0;
    virtual asio::awaitable<Result<void>> deliver(std::shared_ptr<AccountClient> client,
                                                  std::string connection_id,
                                                  omni::Update update) = 0;
    virtual void forget(const ObjectKey& key) = 0;
};

class OmniSender final : public Sender {
  public:
    using Wake = std::function<void(const ObjectKey&)>;

    OmniSender(Services& services, Wake wake) : services_(services), wake_(std::move(wake)) {}

    std::optional<Outcome> admit(PendingPush& push, rt::TimePoint now) override;
    asio::awaitable<Result<void>> deliver(std::shared_ptr<AccountClient> client,
                                          std::string connection_id, omni::Update update) override;

    void forget(const ObjectKey& /*key*/) override {}

  private:
    Services& services_;
    Wake wake_;
};

// Reports what would be sent, once for each set of values.
class DryRunSender final : public Sender {
  public:
    explicit DryRunSender(StatusWriter& writer) : writer_(writer) {}

    std::optional<Outcome> admit(PendingPush& push, rt::TimePoint now) override;
    asio::awaitable<Result<void>> deliver(std::shared_ptr<AccountClient> client,
                                          std::string connection_id, omni::Update update) override;

    void forget(const ObjectKey& key) override { reported_.erase(key); }

  private:
    StatusWriter& writer_;
    std::unordered_map<ObjectKey, std::string> reported_; // digests
};

} // namespace oco::reconcile
