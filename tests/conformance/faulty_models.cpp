// Ways for a server to be wrong, each by what it does not see of a request.
#include "model_server.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

namespace oco::conformance {
namespace {

using sim::HttpRequest;
namespace bj = boost::json;

template<class Change>
void change_body(HttpRequest& request, Change change) {
    boost::system::error_code failed;
    bj::value body = bj::parse(request.body, failed);
    if (failed || !body.is_object())
        return;
    change(body.get_object());
    request.body = bj::serialize(body);
}

template<class Change>
void change_metadata(HttpRequest& request, Change change) {
    change_body(request, [&](bj::object& body) {
        if (auto* metadata = body.if_contains("metadata"); metadata && metadata->is_object())
            change(metadata->get_object());
    });
}

void forget(HttpRequest& request, std::string_view parameter) {
    request.query.erase(std::string(parameter));
}

bool ends_with_status(const HttpRequest& request) {
    return request.path.ends_with("/status");
}

} // namespace

const std::vector<FaultyModel>& all_faulty_models() {
    static const std::vector<FaultyModel> faulty_models = {
        {"no limit",
         [](HttpRequest& r) {
             forget(r, "limit");
         }},
        {"no continue",
         [](HttpRequest& r) {
             forget(r, "continue");
         }},
        {"no field selector",
         [](HttpRequest& r) {
             forget(r, "fieldSelector");
         }},
        {"no version to start from",
         [](HttpRequest& r) {
             forget(r, "resourceVersion");
         }},
        {"no end of a watch",
         [](HttpRequest& r) {
             forget(r, "timeoutSeconds");
         }},
        {"no bookmarks",
         [](HttpRequest& r) {
             forget(r, "allowWatchBookmarks");
         }},
        {"bookmarks for all",
         [](HttpRequest& r) {
             if (r.query.contains("watch"))
                 r.query["allowWatchBookmarks"] = "true";
         }},
        {"no streamed lists",
         [](HttpRequest& r) {
             forget(r, "sendInitialEvents");
         }},
        {"no matching of versions",
         [](HttpRequest& r) {
             if (r.query.contains("sendInitialEvents"))
                 r.query["resourceVersionMatch"] = "NotOlderThan";
             else
                 forget(r, "resourceVersionMatch");
         }},
        {"no watches",
         [](HttpRequest& r) {
             forget(r, "watch");
         }},
        {"no metadata only",
         [](HttpRequest& r) {
             r.headers["accept"] = "application/json";
         }},
        {"metadata only",
         [](HttpRequest& r) {
             if (r.method == "GET" && !r.query.contains("watch"))
                 r.headers["accept"] =
                     "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
         }},
        {"no authentication",
         [](HttpRequest& r) {
             r.headers["authorization"] = "Bearer known";
         }},
        {"one namespace",
         [](HttpRequest& r) {
             const auto at = r.path.find("-2/");
             if (at != std::string::npos)
                 r.path.erase(at, 2);
         }},
        {"all namespaces in a list or watch",
         [](HttpRequest& r) {
             const auto at = r.path.find("/namespaces/");
             const auto kind = at == std::string::npos ? at : r.path.find('/', at + 12);
             if (kind != std::string::npos && r.method == "GET" &&
                 r.path.find('/', kind + 1) == std::string::npos)
                 r.path.erase(at, kind - at);
         }},
        {"an unknown kind is one that is known",
         [](HttpRequest& r) {
             if (const auto at = r.path.find("nothings"); at != std::string::npos)
                 r.path.replace(at, 8, "omniconnections");
         }},
        {"writes without versions",
         [](HttpRequest& r) {
             change_metadata(r, [](bj::object& m) { m.erase("resourceVersion"); });
         }},
        {"writes without uids",
         [](HttpRequest& r) {
             change_metadata(r, [](bj::object& m) { m.erase("uid"); });
         }},
        {"each patch is of the status",
         [](HttpRequest& r) {
             if (r.method == "PATCH" && !ends_with_status(r))
                 r.path += "/status";
         }},
        {"no patch is of the status",
         [](HttpRequest& r) {
             if (r.method == "PATCH" && ends_with_status(r))
                 r.path.erase(r.path.size() - 7);
         }},
        {"a JSON patch tests nothing",
         [](HttpRequest& r) {
             if (const auto at = r.body.find(R"("op":"test")"); at != std::string::npos)
                 r.body.replace(at, 11, R"("op":"add")");
         }},
        {"null is empty",
         [](HttpRequest& r) {
             for (auto at = r.body.find(":null"); at != std::string::npos;
                  at = r.body.find(":null"))
                 r.body.replace(at, 5, ":\"\"");
         }},
        {"each write makes a version",
         [](HttpRequest& r) {
             static int count = 0;
             if (r.method != "GET")
                 change_body(r, [](bj::object& body) { body["noise"] = ++count; });
         }},
        {"a PUT is no write",
         [](HttpRequest& r) {
             if (r.method == "PUT")
                 r.method = "GET";
         }},
        {"deletions are forgotten", [](HttpRequest&) {}, FaultyModel::Deletions::forgotten},
        {"holders of Leases are lost",
         [](HttpRequest& r) {
             change_body(r, [](bj::object& body) {
                 if (auto* spec = body.if_contains("spec"); spec && spec->is_object())
                     spec->get_object().erase("holderIdentity");
             });
         }},
        {"any name, any place",
         [](HttpRequest& r) {
             if (r.method == "POST")
                 change_metadata(r, [](bj::object& m) {
                     m.erase("namespace");
                     m.erase("resourceVersion");
                     if (!m.contains("name"))
                         m["name"] = "nobody";
                 });
         }},
        {"Leases and Events are not checked",
         [](HttpRequest& r) {
             change_body(r, [](bj::object& body) {
                 if (auto* spec = body.if_contains("spec"); spec && spec->is_object())
                     for (const char* name :
                          {"leaseDurationSeconds", "leaseTransitions", "renewTime", "acquireTime"})
                         spec->get_object().erase(name);
                 body.insert({{"eventTime", "2026-01-01T00:00:00.000000Z"}, {"action", "Push"}});
             });
         }},
        {"Events keep no series",
         [](HttpRequest& r) {
             change_body(r, [](bj::object& body) { body.erase("series"); });
         }},
    };
    return faulty_models;
}

} // namespace oco::conformance
