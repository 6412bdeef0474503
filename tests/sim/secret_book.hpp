// The Secrets that OmniConnections name, as their users write them: two for each object, of which
// the spec names one, and some that nobody names.
#pragma once

#include "facts.hpp"
#include "kube_model.hpp"

#include <functional>
#include <map>
#include <string>

namespace oco::sim {

class SecretBook {
  public:
    // `written` is told of each value, before it is there.
    using Written = std::function<void(const Name& secret, const std::string& value)>;

    SecretBook(KubeModel& kube, std::uint64_t seed, Written written)
        : kube_(kube), dice_(seed, "secrets"), written_(std::move(written)) {}

    // The Secret of this object: `which` is 0 or 1.
    static Name name_of(const std::string& ns, int object, int which);

    // A new value, with a new rotation id.
    void rotate(const Name& secret, int object);
    // The value before the last, if there was one.
    void turn_back(const Name& secret);
    // As it was, after a deletion.
    void restore(const Name& secret);
    void remove(const Name& secret);
    // Changes that need no push.
    void label(const Name& secret);
    void change_other_key(const Name& secret);
    void change_rotation_id(const Name& secret);

    // Empty: there never was one.
    [[nodiscard]] std::string value(const Name& secret) const;

    std::uint64_t rotations = 0;

  private:
    struct Content {
        std::string value;
        std::string previous;
        std::string rotation_id;
    };

    void write(const Name& secret, const std::string& value);

    std::string next_note() { return std::to_string(++notes_); }

    KubeModel& kube_;
    Dice dice_;
    Written written_;
    std::map<Name, Content> contents_;
    std::uint64_t notes_ = 0;
};

} // namespace oco::sim
