#include "kube/config/kubeconfig.hpp"

#include "base/text.hpp"

#include <yaml-cpp/depthguard.h>
#include <yaml-cpp/yaml.h>

#include <array>
#include <istream>
#include <optional>
#include <streambuf>

namespace oco::kube {
namespace {

// Reads in place: YAML::Load(std::string) would make one more copy of the credentials.
class ViewBuffer : public std::streambuf {
  public:
    explicit ViewBuffer(std::string_view text) {
        char* const begin = const_cast<char*>(text.data()); // a get area is never written to
        setg(begin, begin, begin + text.size());
    }
};

std::string at_line(const YAML::Mark& mark) {
    return mark.is_null() ? std::string() : " (line " + std::to_string(mark.line + 1) + ")";
}

// Absent and null are the same. Of a repeated member the last one counts, as for kubectl, and so do
// members that `<<: *anchor` brings in, which yaml-cpp leaves to its callers. The bound is for
// mappings that merge themselves.
std::optional<YAML::Node> find(YAML::Node map, std::string_view name) {
    constexpr int max_merges = 8;
    for (int merges = 0; merges <= max_merges; ++merges) {
        std::optional<YAML::Node> found;
        std::optional<YAML::Node> merged;
        for (const auto& member : map) {
            if (!member.first.IsScalar())
                continue;
            if (member.first.Scalar() == name)
                found.emplace(member.second);
            else if (member.first.Scalar() == "<<" && member.second.IsMap())
                merged.emplace(member.second);
        }
        if (found && !found->IsNull())
            return found;
        if (found || !merged)
            return std::nullopt;
        map.reset(*merged); // plain assignment would write through to the document
    }
    return std::nullopt;
}

// The first of `names` that `map` sets to something.
template<std::size_t size>
std::string first_set(const YAML::Node& map, const std::array<const char*, size>& names) {
    for (const char* name : names) {
        const auto node = find(map, name);
        if (node && (node->IsScalar() ? !node->Scalar().empty() : node->size() != 0))
            return name;
    }
    return {};
}

// Turns nodes into entries. The first error sticks, and the caller asks for it once, at the end.
class Reader {
  public:
    explicit Reader(const std::string& file) : file_(file) {}

    Result<Kubeconfig> read(const YAML::Node& root);

  private:
    void check_kind(const YAML::Node& root);
    template<class Entry>
    void read_list(const YAML::Node& root, const char* list_name, const char* entry_name,
                   Entry (Reader::*read_entry)(const YAML::Node&),
                   std::map<std::string, Entry, std::less<>>& out);
    KubeconfigCluster read_cluster(const YAML::Node& body);
    KubeconfigUser read_user(const YAML::Node& body);
    KubeconfigContext read_context(const YAML::Node& body);

    std::optional<YAML::Node> scalar_at(const YAML::Node& map, const char* name);
    std::string text_at(const YAML::Node& map, const char* name);
    SecretBytes secret_at(const YAML::Node& map, const char* name);
    bool flag_at(const YAML::Node& map, const char* name);
    void fail(const std::string& what, const YAML::Mark& mark = YAML::Mark::null_mark());

    const std::string& file_;
    std::string entry_; // `cluster "prod": ` while one is being read
    std::optional<Error> error_;
};

void Reader::fail(const std::string& what, const YAML::Mark& mark) {
    if (!error_)
        error_ = make_error(ErrorClass::invalid, "kubeconfig " + printable(file_) + ": " + entry_ +
                                                     what + at_line(mark));
}

std::optional<YAML::Node> Reader::scalar_at(const YAML::Node& map, const char* name) {
    auto node = find(map, name);
    if (!node || node->IsScalar())
        return node;
    fail(std::string(name) + " must be a string", node->Mark());
    return std::nullopt;
}

std::string Reader::text_at(const YAML::Node& map, const char* name) {
    const auto node = scalar_at(map, name);
    return node ? node->Scalar() : std::string();
}

SecretBytes Reader::secret_at(const YAML::Node& map, const char* name) {
    const auto node = scalar_at(map, name);
    return node ? SecretBytes(node->Scalar()) : SecretBytes();
}

bool Reader::flag_at(const YAML::Node& map, const char* name) {
    const auto node = find(map, name);
    bool flag = false;
    if (node && !(node->IsScalar() && YAML::convert<bool>::decode(*node, flag)))
        fail(std::string(name) + " must be true or false", node->Mark());
    return flag;
}

KubeconfigCluster Reader::read_cluster(const YAML::Node& body) {
    return {.file = file_,
            .server = text_at(body, "server"),
            .tls_server_name = text_at(body, "tls-server-name"),
            .proxy_url = secret_at(body, "proxy-url"),
            .certificate_authority = text_at(body, "certificate-authority"),
            .certificate_authority_data = text_at(body, "certificate-authority-data"),
            .insecure_skip_tls_verify = flag_at(body, "insecure-skip-tls-verify")};
}

KubeconfigUser Reader::read_user(const YAML::Node& body) {
    constexpr std::array logins{"exec", "auth-provider", "username", "password"};
    constexpr std::array impersonations{"as", "as-uid", "as-groups", "as-user-extra"};
    return {.file = file_,
            .client_certificate = text_at(body, "client-certificate"),
            .client_certificate_data = text_at(body, "client-certificate-data"),
            .client_key = text_at(body, "client-key"),
            .client_key_data = secret_at(body, "client-key-data"),
            .token = secret_at(body, "token"),
            .token_file = text_at(body, "tokenFile"),
            .unsupported_login = first_set(body, logins),
            .impersonation = first_set(body, impersonations)};
}

KubeconfigContext Reader::read_context(const YAML::Node& body) {
    return {.file = file_,
            .cluster = text_at(body, "cluster"),
            .user = text_at(body, "user"),
            .default_namespace = text_at(body, "namespace")};
}

template<class Entry>
void Reader::read_list(const YAML::Node& root, const char* list_name, const char* entry_name,
                       Entry (Reader::*read_entry)(const YAML::Node&),
                       std::map<std::string, Entry, std::less<>>& out) {
    const auto list = find(root, list_name);
    if (!list)
        return;
    if (!list->IsSequence())
        return fail(std::string(list_name) + " must be a list", list->Mark());
    for (const auto& item : *list) {
        if (!item.IsMap())
            return fail(std::string(list_name) + " must hold objects with a name and a " +
                            entry_name,
                        item.Mark());
        const std::string name = text_at(item, "name");
        entry_ = std::string(entry_name) + " \"" + printable(name, 64) + "\": ";
        const YAML::Node body = find(item, entry_name).value_or(YAML::Node(YAML::NodeType::Map));
        if (!body.IsMap())
            return fail("must be an object", body.Mark());
        if (!out.emplace(name, (this->*read_entry)(body)).second)
            fail("is defined twice: remove one", item.Mark());
        entry_.clear();
    }
}

// A manifest given by mistake gets a better answer than "no contexts".
void Reader::check_kind(const YAML::Node& root) {
    const std::string kind = text_at(root, "kind");
    const std::string version = text_at(root, "apiVersion");
    if ((!kind.empty() && kind != "Config") || (!version.empty() && version != "v1"))
        fail("is not a kubeconfig: its kind must be Config and its apiVersion v1");
}

Result<Kubeconfig> Reader::read(const YAML::Node& root) {
    Kubeconfig out;
    if (root.IsMap()) {
        check_kind(root);
        out.current_context = text_at(root, "current-context");
        read_list(root, "clusters", "cluster", &Reader::read_cluster, out.clusters);
        read_list(root, "users", "user", &Reader::read_user, out.users);
        read_list(root, "contexts", "context", &Reader::read_context, out.contexts);
    } else if (root.IsDefined() && !root.IsNull()) { // an empty file is an empty kubeconfig
        fail("is not a kubeconfig: it must hold an object", root.Mark());
    }
    if (error_)
        return *error_;
    return out;
}

// yaml-cpp puts pieces of the text after a colon: an escape, and in newer versions an anchor's
// name, which `token: *x` would make of a token. So only what stands before the colon may be shown.
Error syntax_error(const std::string& file, const YAML::Exception& thrown) {
    std::string message = "kubeconfig " + printable(file) + ": is neither valid YAML nor JSON";
    if (!thrown.mark.is_null())
        message += ", line " + std::to_string(thrown.mark.line + 1) + ", column " +
                   std::to_string(thrown.mark.column + 1);
    const bool too_deep = dynamic_cast<const YAML::DeepRecursion*>(&thrown) != nullptr;
    const std::string why =
        too_deep ? "nested too deeply" : printable(thrown.msg.substr(0, thrown.msg.find(':')), 100);
    return make_error(ErrorClass::invalid, message + ": " + why);
}

} // namespace

Result<Kubeconfig> parse_kubeconfig(std::string_view text, const std::string& file) {
    if (text.size() > max_kubeconfig_bytes)
        return make_error(ErrorClass::invalid, "kubeconfig " + printable(file) +
                                                   ": is larger than 4 MiB: name the right file");
    try {
        ViewBuffer buffer(text);
        std::istream stream(&buffer);
        return Reader(file).read(YAML::Load(stream));
    } catch (const YAML::Exception& thrown) {
        return syntax_error(file, thrown);
    }
}

void merge(Kubeconfig& into, Kubeconfig&& from) {
    into.clusters.merge(from.clusters);
    into.users.merge(from.users);
    into.contexts.merge(from.contexts);
    if (into.current_context.empty())
        into.current_context = std::move(from.current_context);
}

} // namespace oco::kube
