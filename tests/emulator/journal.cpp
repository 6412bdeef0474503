#include "journal.hpp"

#include "mask.hpp"

#include <algorithm>

namespace emulator {
namespace {

void write_body(JsonWriter& writer, const std::string& body, Credentials credentials) {
    const auto document = parse_json(body);
    if (!document) {
        writer.Null();
    } else if (credentials == Credentials::masked) {
        write_masked_body(writer, *document);
    } else {
        document->Accept(writer);
    }
}

void write_entry(JsonWriter& writer, const Entry& entry, Credentials credentials) {
    writer.StartObject();
    put(writer, "seq", entry.seq);
    writer.Key("timeUnixMs");
    writer.Double(std::chrono::duration<double, std::milli>(entry.time).count());
    put(writer, "method", entry.method);
    put(writer, "path", entry.path);
    put_or_null(writer, "connectionID", entry.connection_id);
    writer.Key("tokenIndex");
    if (entry.token_index) {
        writer.Uint64(*entry.token_index);
    } else {
        writer.Null();
    }
    put(writer, "status", std::uint64_t{entry.status});
    put_flag(writer, "applied", entry.applied);
    writer.Key("body");
    write_body(writer, entry.body, credentials);
    put_or_null(writer, "fault", entry.fault);
    writer.EndObject();
}

} // namespace

std::uint64_t Journal::add(Entry entry) {
    entry.seq = next_++;
    ++received_;
    body_bytes_ += entry.body.size();
    entries_.push_back(std::move(entry));
    while (entries_.size() > most_entries || body_bytes_ > most_body_bytes) {
        body_bytes_ -= entries_.front().body.size();
        entries_.pop_front();
    }
    return next_ - 1;
}

Entry* Journal::find(std::uint64_t seq) {
    // Late applications and answers may find their entry gone.
    if (entries_.empty() || seq < entries_.front().seq || seq >= next_)
        return nullptr;
    return &entries_[seq - entries_.front().seq];
}

void Journal::set_fault(std::uint64_t seq, const std::string& name) {
    if (auto* entry = find(seq))
        entry->fault = name;
}

void Journal::set_applied(std::uint64_t seq) {
    ++applied_;
    if (auto* entry = find(seq))
        entry->applied = true;
}

void Journal::set_answered(std::uint64_t seq, unsigned status) {
    ++by_status_[status];
    if (auto* entry = find(seq))
        entry->status = status;
}

void Journal::take_back_answer(std::uint64_t seq, unsigned status) {
    const auto found = by_status_.find(status);
    if (found != by_status_.end() && --found->second == 0)
        by_status_.erase(found);
    if (auto* entry = find(seq))
        entry->status = 0;
}

void Journal::clear_entries() {
    entries_.clear();
    body_bytes_ = 0;
}

void Journal::clear_statistics() {
    received_ = applied_ = over_limit_ = 0;
    by_status_.clear();
}

std::string Journal::entries_json(std::uint64_t since, Credentials credentials) const {
    return to_json([&](JsonWriter& writer) {
        writer.StartObject();
        writer.Key("requests");
        writer.StartArray();
        const auto first = entries_.empty() ? next_ : entries_.front().seq;
        for (auto seq = std::max(since, first); seq < next_; ++seq) {
            write_entry(writer, entries_[seq - first], credentials);
        }
        writer.EndArray();
        put(writer, "next", next_);
        writer.EndObject();
    });
}

std::string Journal::statistics_json(std::size_t max_in_window) const {
    return to_json([&](JsonWriter& writer) {
        writer.StartObject();
        put(writer, "received", received_);
        put(writer, "applied", applied_);
        put(writer, "refused429", over_limit_);
        put(writer, "maxInWindow", std::uint64_t{max_in_window});
        writer.Key("byStatus");
        writer.StartObject();
        for (const auto& [status, count] : by_status_) {
            put(writer, std::to_string(status).c_str(), count);
        }
        writer.EndObject();
        writer.EndObject();
    });
}

} // namespace emulator
