#include "dialect_oracle.hpp"

#include "marks.hpp"

#include <algorithm>

namespace oco::sim {

// At any time: a process may remember what a status said before it was edited.
bool DialectOracle::status_tells(const Name& object, const std::string& id) const {
    return std::ranges::any_of(history_of(truth_.statuses, object), [&](const auto& version) {
        return version.value && version.value->connection_id == id &&
               !version.value->dialect.empty();
    });
}

void DialectOracle::arrived(const OmniModel::Arrival& arrival, const std::string& host) const {
    const Push push = push_of(arrival.request);
    const auto number = sender_of(push);
    if (push.value.empty() || !number)
        return;
    const KeyView& view = views_.of(arrival.client, host, arrival.token());
    const Name sender = object_of_(*number);
    const std::string& id = push.connection_id;
    if (view.ever_showed(id) || status_tells(sender, id) || view.was_refused_the_list())
        return;
    complain_("dialect: " + arrival.client + " sent a credential to " + shown(Target{host, id}) +
              " for " + shown(sender) + ", whose dialect it has not read");
}

} // namespace oco::sim
