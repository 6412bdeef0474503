#pragma once

#include "connection.hpp"

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>

namespace emulator {

/// One request to the API, as the admin interface tells it.
struct Entry {
    std::uint64_t seq = 0;
    std::chrono::microseconds time{}; ///< since 1970
    std::string method;
    std::string path; ///< with the query, as sent
    std::string connection_id;
    std::optional<std::size_t> token_index; ///< nothing: no valid token
    unsigned status = 0;                    ///< 0: no whole answer was sent (yet)
    bool applied = false;
    std::string body;
    std::string fault;
};

/// What was received, newest last, and the counts over it. The oldest entries go when there are
/// more than `most_entries` or their bodies take more than `most_body_bytes`; numbers go on.
class Journal {
  public:
    static constexpr std::size_t most_entries = 100'000;
    static constexpr std::size_t most_body_bytes = 64U << 20U;

    /// Gives the entry its number, counting from 1, and returns it.
    std::uint64_t add(Entry entry);

    void set_fault(std::uint64_t seq, const std::string& name);
    void set_applied(std::uint64_t seq);
    void set_answered(std::uint64_t seq, unsigned status);
    /// The answer could not be sent after all.
    void take_back_answer(std::uint64_t seq, unsigned status);

    void count_over_limit() { ++over_limit_; }

    void clear_entries();
    void clear_statistics();

    /// `{"requests": [...], "next": SEQ}` with the entries numbered `since` and higher; `next` is
    /// the number the next request will get.
    std::string entries_json(std::uint64_t since, Credentials credentials) const;

    /// `{received, applied, refused429, maxInWindow, byStatus: {"200": n}}`. `refused429` counts
    /// what the rate limit refused, not injected answers.
    std::string statistics_json(std::size_t max_in_window) const;

  private:
    Entry* find(std::uint64_t seq);

    std::deque<Entry> entries_; ///< numbered without gaps
    std::uint64_t next_ = 1;
    std::size_t body_bytes_ = 0;
    std::uint64_t received_ = 0;
    std::uint64_t applied_ = 0;
    std::uint64_t over_limit_ = 0;
    std::map<unsigned, std::uint64_t> by_status_;
};

} // namespace emulator
