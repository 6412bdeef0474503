// Where statuses are written to: the API server, or, in a dry run, nowhere.
#pragma once

#include "kube/client.hpp"
#include "kube/object.hpp"
#include "rt/deadline.hpp"

#include <optional>
#include <string>

namespace oco::reconcile {

class StatusSink {
  public:
    // Whose word counts where a status differs from ours.
    enum class Authority {
        ours,
        theirs, // another operator writes it
    };

    StatusSink() = default;
    StatusSink(const StatusSink&) = delete;
    StatusSink& operator=(const StatusSink&) = delete;
    virtual ~StatusSink() = default;

    [[nodiscard]] virtual Authority authority() const = 0;

    // Somebody else keeps writing what is written here.
    void note_contest(rt::TimePoint now) { contested_at_ = now; }

    // Whether that was so a short while ago.
    [[nodiscard]] bool contested(rt::TimePoint now) const {
        return contested_at_ && now < *contested_at_ + std::chrono::minutes(30);
    }

    // A merge patch of the status of this very object.
    virtual boost::asio::awaitable<Result<void>> patch(const kube::Resource& resource,
                                                       kube::ObjectMeta meta, std::string body,
                                                       rt::Duration limit) = 0;

  private:
    std::optional<rt::TimePoint> contested_at_;
};

class KubeStatusSink final : public StatusSink {
  public:
    KubeStatusSink(rt::Runtime& runtime, kube::Client& client)
        : runtime_(runtime), client_(client) {}

    [[nodiscard]] Authority authority() const override { return Authority::ours; }

    boost::asio::awaitable<Result<void>> patch(const kube::Resource& resource,
                                               kube::ObjectMeta meta, std::string body,
                                               rt::Duration limit) override {
        auto done = co_await rt::with_deadline(
            runtime_, limit, client_.patch_status(resource, meta, std::move(body)));
        if (!done)
            co_return done.error();
        co_return Result<void>();
    }

  private:
    rt::Runtime& runtime_;
    kube::Client& client_;
};

class ForgetfulStatusSink final : public StatusSink {
  public:
    [[nodiscard]] Authority authority() const override { return Authority::theirs; }

    boost::asio::awaitable<Result<void>> patch(const kube::Resource& /*resource*/,
                                               kube::ObjectMeta /*meta*/, std::string /*body*/,
                                               rt::Duration /*limit*/) override {
        co_return Result<void>();
    }
};

} // namespace oco::reconcile
