#pragma once

#include "http.hpp"
#include "json.hpp"
#include "result.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace emulator {

enum class Apply {
    now,   ///< handled before the reply
    never, ///< not handled at all
    late,  ///< handled after `Course::wait`, when the reply is long over
};

enum class Reply {
    whole,
    half,  ///< the headers and half of the body, then the connection is closed
    close, ///< nothing, the connection is closed
    hang,  ///< nothing, the connection stays open until the client closes it
};

/// What happens to one request.
struct Course {
    Apply apply = Apply::now;
    Reply reply = Reply::whole;
    std::chrono::milliseconds wait{}; ///< before handling it
    std::optional<Answer> answer;     ///< in place of what handling it would answer
};

/// One injected fault. As JSON, in and out:
///
///     {name, method, connectionID, pathPrefix, count, action, ...}
///
/// `method`, `connectionID`, `pathPrefix`: which requests it is for; what is absent fits all.
/// `count`: for so many more requests (absent: until it is deleted; 0: used up). `action`:
///
/// - `respond` with `status` (200–599), `headers` {name: text}, `body` (string, or any other JSON):
///   this answer, not handled. A body that is JSON is application/json, a string is text/html.
/// - `delay` with `delayMs`: handled and answered after so long
/// - `drop`, `drop-after-apply`: the connection is closed without handling / after handling it
/// - `hang`, `hang-after-apply`: never answered, not handled / handled
/// - `apply-late` with `delayMs`: the connection is closed now, the request handled after so long
/// - `truncate`: handled, and half of the answer is sent before the connection is closed
///
/// `matched` (output; ignored as input): how many requests it was used for.
struct Fault {
    std::string name;
    std::string method;
    std::string connection_id; ///< lower case
    std::string path_prefix;
    std::optional<std::uint64_t> count;
    std::string action;
    Course course;
    std::uint64_t matched = 0;
};

Result<Fault> decode_fault(const rapidjson::Value& value);
void write_fault(JsonWriter& writer, const Fault& fault);

/// An ordered list: the first that fits and is not used up is used. Bounded.
class FaultList {
  public:
    static constexpr std::size_t most_faults = 1000;

    /// The fault for a request to `path` (without its query), and counts it. The pointer is good
    /// until the next call.
    const Fault* match(std::string_view method, std::string_view path);

    const std::vector<Fault>& all() const { return faults_; }

    /// False: more than `most_faults`.
    bool replace(std::vector<Fault> faults);
    bool add(Fault fault);

    void clear() { faults_.clear(); }

  private:
    std::vector<Fault> faults_;
};

} // namespace emulator
