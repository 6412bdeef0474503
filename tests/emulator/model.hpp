#pragma once

#include "http.hpp"
#include "patch.hpp"
#include "seed.hpp"

#include <map>

namespace emulator {

/// An answer, and whether anything was stored.
struct Outcome {
    Answer answer;
    bool applied = false;
};

/// Omni's API without time, limits and faults: what it holds, and what it answers.
class Model {
  public:
    explicit Model(Seed seed);

    /// Which of tokens() the `Authorization: Bearer` header carries.
    std::optional<std::size_t> find_token(const std::optional<std::string>& authorization) const;

    /// Answers one request and stores what it says, all or nothing. In order: 413, 404 for a path
    /// outside `/api/v1/`, 401, 404 and 405, and for the PATCH 400 (id, then body), 404, 403, 400.
    Outcome handle(const Request& request);

    const std::vector<Token>& tokens() const { return tokens_; }

    void set_tokens(std::vector<Token> tokens) { tokens_ = std::move(tokens); }

    /// By id.
    const std::map<std::string, Connection>& connections() const { return connections_; }

    void put_connection(Connection connection);
    /// False: there is none of this id.
    bool delete_connection(const std::string& id, std::string_view now);
    bool purge_connection(const std::string& id);

  private:
    Outcome handle_patch(const Token& token, const std::string& id, const Request& request);
    Answer list_connections(const Target& target) const;
    Answer get_connection(const std::string& id, const Target& target) const;

    std::map<std::string, Connection> connections_;
    std::set<std::string> custom_roles_;
    std::vector<Token> tokens_;
};

} // namespace emulator
