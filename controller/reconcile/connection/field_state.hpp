// What is known of one field of one connection in Omni: whose value it holds, which values may
// still arrive, and what is being sent. Pure: time comes in.
//
//            begin_sending()      accepted()
//   void ───────────────▶ sending ──────────▶ applied      nothing else may arrive any more
//    ▲                     │    └───────────▶ confirming   an older attempt may: sent again when
//    due │    unanswered()     │ └── in doubt ◀────────┘      rejected(): as before it was sent
//
// A value is identified by its digest, which covers the object that sent it: two objects never send
// the same value. An object is known by its UID.
#pragma once

#include "api/omni_connection.hpp"
#include "rt/runtime.hpp"

#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

namespace oco::reconcile {

// What the status of an object says of one field.
using AppliedEntry = std::variant<api::AppliedCredential, api::AppliedBaseRole,
                                  api::AppliedEnvironmentUserAttribute>;

// An attempt that nobody answered may be carried out for so long after it was given up.
inline constexpr rt::Duration may_land_for = std::chrono::seconds(60);

enum class LandsLate { no, maybe };

class FieldState {
  public:
    struct Value {
        std::string uid;
        std::string digest;
        AppliedEntry entry;
    };

    // --- what is known
    // What Omni holds, if it is the value of this object and nothing else may take its place.
    [[nodiscard]] const Value* applied_by(const std::string& uid) const {
        return applied_ && applied_->uid == uid ? &*applied_ : nullptr;
    }

    [[nodiscard]] Value* applied_by(const std::string& uid) {
        return applied_ && applied_->uid == uid ? &*applied_ : nullptr;
    }

    // Whether the object has to send the value with this digest.
    [[nodiscard]] bool lacks(const std::string& uid, const std::string& digest,
                             rt::TimePoint now) const;
    // Whether a value other than this may still take its place.
    [[nodiscard]] bool may_be_overwritten(const std::string& digest, rt::TimePoint now) const;
    // Whether a value of the object may still arrive, or is to be sent once more to be sure: what
    // its status has to tell the next process.
    [[nodiscard]] bool in_doubt(const std::string& uid, rt::TimePoint now) const;
    // When the last value that may arrive no longer may; nullopt: none may.
    [[nodiscard]] std::optional<rt::TimePoint> doubt_ends_at(rt::TimePoint now) const;
    // When the object has to send its value again; nullopt: it need not.
    [[nodiscard]] std::optional<rt::TimePoint> confirm_at(const std::string& uid) const;

    // Whether the object's value is on its way.
    [[nodiscard]] bool sent_by(const std::string& uid) const {
        return sending_ && sending_->uid == uid;
    }

    // Whether suspect_until() still holds.
    [[nodiscard]] bool suspected(rt::TimePoint now) const { return now < suspect_until_; }

    // Nothing that was sent may still arrive, whoever sent it.
    [[nodiscard]] bool settled(rt::TimePoint now) const {
        return !sending_ && !confirming_ && !doubt_ends_at(now) && !suspected(now);
    }

    // Nothing is known that a later reader would miss.
    [[nodiscard]] bool forgettable(rt::TimePoint now) const { return !applied_ && settled(now); }

    // Whether this process has sent it, whatever came of that.
    [[nodiscard]] bool was_sent() const { return sent_; }

    // --- what happens
    // A byte of the request may leave from now on. One of the four below follows.
    void begin_sending(const std::string& uid, const std::string& digest);
    // The answer takes long: until it comes, nothing is applied.
    void note_silence();
    // Omni accepted the value. `entry` is what the status will say of it, once it is applied.
    void accepted(AppliedEntry entry, rt::TimePoint now);
    // Omni refused it, or it never left: what Omni holds has not changed.
    void rejected();
    // Omni may hold either value; and the one that was sent may arrive later, too.
    void unanswered(LandsLate late, rt::TimePoint now);
    // The process ends before the answer.
    void cut(rt::TimePoint now);

    // The object has lost its claim, or nothing it said may be believed any more: what it applied
    // is void, and so is what it is sending.
    void release(const std::string& uid);
    // The object's status says that a value was sent and never answered: it may arrive until then.
    void doubt_until(const std::string& uid, rt::TimePoint until);

    // No status says so, but a process that ended without a word may have sent one: what is
    // accepted until then is sent again. Not in_doubt(): there is nothing to tell the next process.
    void suspect_until(rt::TimePoint until) { suspect_until_ = std::max(suspect_until_, until); }

    // The object's status says so. Statuses of several objects that say so of one field are
    // not believed.
    void restore(Value value);

  private:
    void add_doubt(const std::string& uid, const std::string& digest, rt::TimePoint until);

    struct Confirmation {
        std::string uid;
        std::string digest;
        rt::TimePoint due{};
    };

    struct Sending {
        std::string uid;
        std::string digest;
        std::optional<Value> before; // what was applied until the answer took long
        bool silent = false;         // the answer takes long
        bool void_already = false;   // released meanwhile
    };

    // A value that may still arrive.
    struct Doubt {
        std::string uid;
        std::string digest; // empty: not known
        rt::TimePoint until{};
    };

    bool sent_ = false; // by this process, whoever for
    std::optional<Value> applied_;
    std::optional<Confirmation> confirming_;
    std::optional<Sending> sending_;
    std::vector<Doubt> doubts_;
    std::string unknown_by_;    // whose last attempt ended so that Omni may hold either value
    bool contradicted_ = false; // by statuses that were restored
    rt::TimePoint suspect_until_ = rt::TimePoint::min();
};

} // namespace oco::reconcile
