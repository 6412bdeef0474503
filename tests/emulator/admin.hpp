#pragma once

#include "engine.hpp"

namespace emulator {

inline constexpr std::string_view admin_prefix = "/_emulator/";

/// Answers one request to the admin interface; without a token, so for loopback only. Under
/// `/_emulator/`:
///
/// - `GET requests?since=SEQ&mask=1`: see Journal::entries_json(); `DELETE requests`
/// - `GET connections?mask=1`: `{"connections": [...]}`, each as write_state() has it;
///   `PUT connections/ID` with one of the same shape replaces it, counters included;
///   `DELETE connections/ID` marks it as deleted, with `?purge=1` it is gone
/// - `GET faults`: `{"faults": [...]}`, each as in `Fault`; `PUT faults` takes such an object or a
///   bare list and replaces all; `POST faults` adds one; `DELETE faults`
/// - `PUT tokens` `{"tokens": [...]}`: strings or objects, see decode_token()
/// - `GET limits`, `PUT limits` `{requestsPerMinute, rateWindow, countRefused}`: what is left out
///   stays
/// - `GET stats`: see Journal::statistics_json(); `POST reset`: see Engine::reset()
///
/// Changes answer `{"ok": true}`. A mistake is a 400 whose message names it, an unknown connection
/// or path a 404, another method a 405.
Answer answer_admin(Engine& engine, const Request& request, Now now);

} // namespace emulator
