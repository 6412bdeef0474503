// Versions of Secrets that were read before the watch delivered them. The watch, and with it the
// API server's cache, may still be at an older version, which must not be read again: neither for
// an object that was created again, nor for another object that names the Secret.
#pragma once

#include "kube/object.hpp"

#include <map>
#include <string>

namespace oco::reconcile {

class UnseenVersions {
  public:
    // The view is at `watched`: whether nothing else was read since.
    bool watch_is_current(const kube::ObjectKey& secret, const std::string& watched) {
        const auto unseen = versions_.find(secret);
        if (unseen == versions_.end())
            return true;
        if (unseen->second.version != watched)
            return false;
        if (!unseen->second.in_view)
            versions_.erase(unseen);
        return true;
    }

    // `read` was read, and the watch was at `watched` then; empty: it knew of no such Secret.
    void note_read(const kube::ObjectKey& secret, const std::string& read,
                   const std::string& watched) {
        if (read == watched)
            versions_.erase(secret);
        else
            versions_[secret] = {.version = read};
    }

    // What was read is in the view now, though no watch has told of it: the watch may still have
    // older versions to tell of.
    void note_in_view(const kube::ObjectKey& secret) {
        if (const auto unseen = versions_.find(secret); unseen != versions_.end())
            unseen->second.in_view = true;
    }

  private:
    struct Unseen {
        std::string version;
        bool in_view = false;
    };

    std::map<kube::ObjectKey, Unseen> versions_;
};

} // namespace oco::reconcile
