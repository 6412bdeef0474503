// An immutable list of texts that exists once, however many hold it: the values of a setting are in
// a spec, in a status and in what was sent, and may be hundreds of kilobytes.
#pragma once

#include <boost/flyweight.hpp>
#include <boost/flyweight/no_locking.hpp>

#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

namespace oco {

// SHA-256 of a list of texts, lower-case hex.
std::string fingerprint_of(const std::vector<std::string>& texts);

class Texts {
  public:
    using List = std::vector<std::string>;

    Texts() = default;

    Texts(List list) : held_(std::move(list)) {}

    Texts(std::initializer_list<std::string> list) : held_(List(list)) {}

    operator const List&() const { return held_.get().list; }

    [[nodiscard]] bool empty() const { return held_.get().list.empty(); }

    [[nodiscard]] auto begin() const { return held_.get().list.begin(); }

    [[nodiscard]] auto end() const { return held_.get().list.end(); }

    // fingerprint_of() them, computed once.
    [[nodiscard]] const std::string& fingerprint() const { return held_.get().fingerprint; }

    bool operator==(const Texts&) const = default;

  private:
    struct Held {
        explicit Held(List texts);

        bool operator==(const Held& other) const { return list == other.list; }

        friend std::size_t hash_value(const Held& held) {
            return std::hash<std::string>()(held.fingerprint);
        }

        List list;
        std::string fingerprint;
    };

    // One thread: no locks.
    boost::flyweight<Held, boost::flyweights::no_locking> held_{List()};
};

} // namespace oco
