// Versions of Secrets that were read while the watch has not told of them. The watch, and with it
// the API server's cache, may still be at an older one, which must not be read again: not by
// whoever reads for an object made again, nor by another object that names the Secret.
#pragma once

#include "kube/object.hpp"

#include <map>
#include <string>

namespace oco::reconcile {

class UnseenVersions {
  public:
    // What the watch tells is at `watched`: whether nothing else was read since.
    bool watch_is_current(const kube::ObjectKey& secret, const std::string& watched) {
        const auto unseen = versions_.find(secret);
        if (unseen != versions_.end() && unseen->second == watched)
            versions_.erase(unseen);
        return !versions_.contains(secret);
    }

    // `read` was read, and the watch was at `watched` then; empty: it knew of no such Secret.
    void note_read(const kube::ObjectKey& secret, const std::string& read,
                   const std::string& watched) {
        if (read == watched)
            versions_.erase(secret);
        else
            versions_[secret] = read;
    }

    // The Secret is gone, as the watch tells: it is read again in any case.
    void forget(const kube::ObjectKey& secret) { versions_.erase(secret); }

  private:
    std::map<kube::ObjectKey, std::string> versions_;
};

} // namespace oco::reconcile
