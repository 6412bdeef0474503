// Omni in a scenario: what it holds, what it was sent, how it misbehaves. Values of credentials and
// keys are the short names that a scenario gives them; on the wire they begin with "confidential-",
// so that a leak is seen. Private keys and JSON stay as they are.
#pragma once

#include "sim/limited_omni.hpp"

#include <set>
#include <string>

namespace oco::scenarios {

using namespace std::chrono_literals;
using sim::Received;
using sim::RequestKind;

inline const std::string omni_host = "acme.omniapp.co";
inline const std::string other_host = "other.omniapp.co";

std::string confidential(std::string_view value);
// The other way; what is not confidential stays.
std::string plain(std::string_view text);

// What becomes of a request.
emulator::Course unanswered();                   // not done, and never answered
emulator::Course done_but_unanswered();          // done, and never answered
emulator::Course done_after(rt::Duration delay); // so late, and never answered
// Done so late; a gateway answers at once, which has given up.
emulator::Course done_after_answer(rt::Duration delay, unsigned status);
emulator::Course answered_after(rt::Duration delay); // done so late, and answered then
emulator::Course connection_lost();                  // done, and the connection breaks
emulator::Course pretended();                        // not done, and answered as if it were
// Not done; `retry_after` in seconds, 0: without that header.
emulator::Course refused_with(unsigned status, int retry_after = 0);

class Omni {
  public:
    Omni(test::SimRuntime& time, std::uint64_t seed);

    // --- what people do in Omni
    // A new connection; its id. They ascend.
    std::string creates(const std::string& name, const std::string& dialect = "postgres");
    void renames(const std::string& id, const std::string& name);
    // It is gone; or, as Omni does it at first, only marked as deleted.
    void purges(const std::string& id);
    void deletes(const std::string& id);
    void restores(const std::string& id);
    void sets_role(const std::string& id, const std::string& role);

    // All keys that were accepted once stay so until they are refused (401).
    void accepts(const std::string& key);
    void refuses(const std::string& key);
    // It may change these connections only (otherwise 403), and read all.
    void restricts(const std::string& key, std::set<std::string> to);
    // Neither the list nor a single connection may be read with it (403).
    void forbids_reading(const std::string& key);

    // --- how it answers from now on; 50 ms at first
    void answers_take(rt::Duration duration) { answers_take_ = duration; }

    void lists_take(rt::Duration duration) { lists_take_ = duration; }

    // The lists that are read with this key.
    void lists_take(const std::string& key, rt::Duration duration) {
        lists_of_key_take_[confidential(key)] = duration;
    }

    void next_push(const std::string& id, emulator::Course course);
    void each_push(const std::string& id, emulator::Course course);
    void next_list(emulator::Course course);
    // All requests, of any kind.
    void everything(emulator::Course course);
    // What becomes of connections to it.
    void accepts_connections(sim::Accept how);
    // None of this any more.
    void recovers();
    // Requests a minute of each key.
    void limits(int requests_per_minute);

    // --- what is to be seen
    [[nodiscard]] bool has(const std::string& id);
    // The credential that it holds; empty: none yet.
    [[nodiscard]] std::string held(const std::string& id);
    // The private key that it holds beside it (of Snowflake); empty: none.
    [[nodiscard]] std::string private_key(const std::string& id);
    [[nodiscard]] std::string role(const std::string& id);
    // The credentials that it was sent for this connection since the beginning, as they came:
    // "alpha beta".
    [[nodiscard]] std::string sent(const std::string& id) const;
    [[nodiscard]] std::string roles_sent(const std::string& id) const;
    // How many requests of this kind came.
    [[nodiscard]] std::size_t count(RequestKind kind) const;
    // When the last PATCH of this connection came; the beginning of time: none did.
    [[nodiscard]] rt::TimePoint last_push(const std::string& id) const;

    sim::LimitedOmni server;

  private:
    void add(emulator::Course course, const std::string& method, const std::string& id,
             const std::string& prefix, std::optional<std::uint64_t> count);
    void install_tokens();

    rt::Duration answers_take_ = 50ms;
    std::optional<rt::Duration> lists_take_;
    std::map<std::string, rt::Duration> lists_of_key_take_;
    std::map<std::string, emulator::Token> tokens_; // by the key's text
    std::set<std::string> may_not_read_;            // the same
    int made_ = 0;
};

} // namespace oco::scenarios
