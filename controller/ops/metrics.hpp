// Counters and histograms of the whole operator, and the page that Prometheus scrapes.
#pragma once

#include "ops/snapshot.hpp"

#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace oco::ops {

// Names, labels and meanings are the operator's public interface: dashboards and alerts rely on
// them. Label values are names and codes, few in number; never texts of errors or of Omni.
// `instance` is "namespace/name" of an OmniInstance. `result` is one of success, rejected,
// refused, rate_limited, unavailable, unknown; `field` one of credential, base_role,
// environment_user_attribute. An HTTP `code` of 0 means no response ("<error>", as in client-go).
// Not synchronised: for the thread that runs the loop.
class Metrics {
  public:
    Metrics();
    Metrics(const Metrics&) = delete;
    Metrics& operator=(const Metrics&) = delete;
    ~Metrics();

    void build_info(std::string_view version, std::string_view commit);

    // Filled again for each scrape; without it, what a Snapshot holds is left out.
    void on_scrape(std::function<Snapshot()> snapshot);

    // Reconciling.
    void reconciled(std::string_view kind, std::string_view result, Seconds duration);
    void drift_detected(std::string_view field);
    void push(std::string_view instance, std::string_view field, std::string_view result);
    // From the moment the Secret's change was observed until Omni accepted the value.
    void rotation_latency(Seconds latency);

    // Requests to Omni.
    void omni_request(std::string_view instance, std::string_view method, int code,
                      Seconds duration);
    void rate_limited(std::string_view instance);                      // Omni returned 429
    void rate_limit_wait(std::string_view instance, Seconds duration); // 0 counts too

    // Starts the counters of an instance at 0, so that their first increase is seen. No effect if
    // they exist.
    void add_instance(std::string_view instance);
    // Drops all series of a deleted instance. Later reports start new ones.
    void forget_instance(std::string_view instance);

    // Requests to Kubernetes. For a watch, the time until its response began.
    void kube_request(int code, std::string_view method, std::string_view host, Seconds duration);
    void leader(std::string_view name, bool leading);

    // The work queue `name`; its depth is in the Snapshot.
    void work_added(std::string_view name);
    void work_started(std::string_view name, Seconds queued);
    void work_done(std::string_view name, Seconds duration);
    void work_retried(std::string_view name);

    // The whole page, of type `exposition_content_type`.
    [[nodiscard]] std::string scrape() const;

  private:
    struct Families; // keeps prometheus-cpp out of this header
    std::unique_ptr<Families> families_;
    std::function<Snapshot()> snapshot_;
};

} // namespace oco::ops
