// Given in several stories: two tenants with an OmniInstance and a key each, whose objects name the
// same connection, by its id where nothing else is said.
#pragma once

#include "world.hpp"

namespace oco::scenarios {

struct Rivals {
    World world;
    Omni& omni = world.omni;
    std::string warehouse = omni.creates("Warehouse");
    Tenant& older = world.tenant("team-b");
    Tenant& younger = world.tenant("team-a"); // by its name it is looked at first

    Rivals() {
        older.writes("db", "old");
        younger.writes("db", "young");
    }

    // Both objects are there; the younger came two seconds later.
    void both_apply(ConnectionSpec of_older = {}, ConnectionSpec of_younger = {}) {
        older_applies(std::move(of_older));
        world.passes(2s);
        younger_applies(std::move(of_younger));
    }

    void older_applies(ConnectionSpec spec = {}) const { apply(older, std::move(spec)); }

    void younger_applies(ConnectionSpec spec = {}) const { apply(younger, std::move(spec)); }

    // The older object holds the connection: it is Synced, and the younger in conflict with it.
    [[nodiscard]] bool older_holds() {
        return older.in_step("warehouse") && younger.sees("warehouse", "ConnectionConflict");
    }

    [[nodiscard]] bool younger_holds() {
        return younger.in_step("warehouse", 70s) && older.sees("warehouse", "ConnectionConflict");
    }

  private:
    void apply(Tenant& tenant, ConnectionSpec spec) const {
        spec.name = "warehouse";
        if (spec.id.empty() && spec.by_name.empty())
            spec.id = warehouse;
        spec.secret = "db";
        tenant.applies(spec);
    }
};

} // namespace oco::scenarios
