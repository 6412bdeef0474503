"""What the API server accepts and refuses for both kinds, and what users see of them."""

from __future__ import annotations

import copy
import itertools
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Iterator

import pytest
from control_plane import ControlPlane
from installation import install_crds

ID = "0f8fad5b-d9cb-469f-a165-70867728950e"
OTHER_ID = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
DROP = object()

INSTANCE = {
    "apiVersion": "omniconnection.io/v1alpha1",
    "kind": "OmniInstance",
    "metadata": {"name": "omni"},
    "spec": {
        "baseURL": "https://example.omniapp.co",
        "apiTokenSecretRef": {"name": "omni-token"},
    },
}
CONNECTION = {
    "apiVersion": "omniconnection.io/v1alpha1",
    "kind": "OmniConnection",
    "metadata": {"name": "warehouse"},
    "spec": {
        "instanceRef": {"name": "omni"},
        "connectionID": ID,
        "credentials": {"password": {"secretRef": {"name": "warehouse"}}},
    },
}
PASSWORD = "credentials.password.secretRef"
SNOWFLAKE = {"credentials.password": DROP, "credentials.snowflakePrivateKey.secretRef.name": "key"}
SNOWFLAKE_REF = "credentials.snowflakePrivateKey.secretRef"
ATTRIBUTE = "environmentUserAttribute"
SELECTOR = "allowedNamespaces.selector"

_names = itertools.count(1)


@dataclass(frozen=True)
class Case:
    """A manifest, as changes to the spec of a base, and what the server says of it."""

    id: str
    base: dict[str, Any]
    spec: dict[str, Any]  # dotted path -> value, or DROP
    # Accepted: dotted path of the spec -> value after defaulting, or DROP for absent.
    then: dict[str, Any] = field(default_factory=dict)
    # Refused: the field's path and a part of the message.
    path: str = ""
    says: str = ""


def manifest_of(case: Case) -> dict[str, Any]:
    manifest = copy.deepcopy(case.base)
    manifest["metadata"]["name"] = f"case-{next(_names)}"
    for dotted, value in case.spec.items():
        *parents, last = dotted.split(".")
        at = manifest["spec"]
        for parent in parents:
            at = at.setdefault(parent, {})
        if value is DROP:
            at.pop(last, None)
        else:
            at[last] = value
    return manifest


def value_at(tree: Any, dotted: str) -> Any:
    for part in dotted.split("."):
        if not isinstance(tree, dict) or part not in tree:
            return DROP
        tree = tree[part]
    return tree


def ok_inst(id: str, spec: dict[str, Any], **then: Any) -> Case:
    return Case(f"inst-ok-{id}", INSTANCE, spec, then=then.get("then", {}))


def no_inst(id: str, spec: dict[str, Any], path: str, says: str) -> Case:
    return Case(f"inst-no-{id}", INSTANCE, spec, path=path, says=says)


def ok_conn(id: str, spec: dict[str, Any], **then: Any) -> Case:
    return Case(f"conn-ok-{id}", CONNECTION, spec, then=then.get("then", {}))


def no_conn(id: str, spec: dict[str, Any], path: str, says: str) -> Case:
    return Case(f"conn-no-{id}", CONNECTION, spec, path=path, says=says)


def expression(operator: str, *values: str) -> dict[str, Any]:
    item: dict[str, Any] = {"key": "example.com/team", "operator": operator}
    return {**item, "values": list(values)} if values else item


def selecting(selector: dict[str, Any]) -> dict[str, Any]:
    return {"allowedNamespaces": {"from": "Selector", "selector": selector}}


ACCEPTED = [
    # OmniInstance
    ok_inst(
        "defaults",
        {"caBundleSecretRef": {"name": "ca"}},
        then={
            "apiTokenSecretRef.key": "token",
            "caBundleSecretRef.key": "ca.crt",
            "rateLimit.requestsPerMinute": 60,
            "allowedNamespaces": {"from": "Same"},
            "allowedConnections": DROP,
            "suspend": DROP,
        },
    ),
    ok_inst("empty-objects", {"rateLimit": {}, "allowedNamespaces": {}},
            then={"rateLimit.requestsPerMinute": 60, "allowedNamespaces.from": "Same"}),
    ok_inst("no-ca-bundle", {}, then={"caBundleSecretRef": DROP}),
    ok_inst("url-slash", {"baseURL": "https://example.omniapp.co/"}),
    ok_inst("url-api", {"baseURL": "https://example.omniapp.co/api"}),
    ok_inst("url-port", {"baseURL": "https://omni.example.com:8443/api"}),
    ok_inst("url-highest-port", {"baseURL": "https://omni.example.com:65535"}),
    ok_inst("url-http", {"baseURL": "http://127.0.0.1:8080"}),
    ok_inst("url-one-label", {"baseURL": "http://localhost:8080/"}),
    ok_inst("rate-lowest", {"rateLimit.requestsPerMinute": 1}),
    ok_inst("rate-highest", {"rateLimit.requestsPerMinute": 60000}),
    ok_inst("from-all", {"allowedNamespaces.from": "All"}),
    ok_inst("selector-empty", selecting({})),
    ok_inst("selector-labels", selecting({"matchLabels": {"example.com/team": "data", "b": ""}})),
    ok_inst("selector-expressions", selecting({"matchExpressions": [
        expression("In", "a", "b"), expression("NotIn", "c"),
        expression("Exists"), expression("DoesNotExist")]})),
    ok_inst("connections", {"allowedConnections": [ID, OTHER_ID]}),
    ok_inst("connections-none", {"allowedConnections": []}),
    ok_inst("connections-1000", {"allowedConnections": [
        f"00000000-0000-0000-0000-{number:012x}" for number in range(1000)]}),
    ok_inst("suspend", {"suspend": True}),
    ok_inst("secret-names", {"apiTokenSecretRef": {"name": "a.b-c.d", "key": "..K_e-y.1"}}),
    # OmniConnection
    ok_conn(
        "defaults",
        {},
        then={
            f"{PASSWORD}.key": "password",
            "credentials.repushInterval": "0s",
            "driftCheckInterval": "1h",
            "instanceRef.namespace": DROP,
            "suspend": DROP,
            "baseRole": DROP,
            ATTRIBUTE: DROP,
        },
    ),
    ok_conn("bigquery", {"credentials": {"bigQueryServiceAccount": {"secretRef": {"name": "sa"}}}},
            then={"credentials.bigQueryServiceAccount.secretRef.key": "service-account.json"}),
    ok_conn("snowflake", SNOWFLAKE, then={f"{SNOWFLAKE_REF}.key": "tls.key",
                                          f"{SNOWFLAKE_REF}.passphraseKey": DROP}),
    ok_conn("snowflake-passphrase", {**SNOWFLAKE, f"{SNOWFLAKE_REF}.passphraseKey": "passphrase"}),
    ok_conn("name", {"connectionID": DROP, "connectionName": "Größe (prod) / 1"}),
    ok_conn("name-256", {"connectionID": DROP, "connectionName": "ü" * 256}),
    ok_conn("instance-namespace", {"instanceRef.namespace": "platform"}),
    ok_conn("role-only", {"credentials": DROP, "baseRole": "QUERY_TOPICS"},
            then={"credentials": DROP}),
    ok_conn("custom-role", {"baseRole": "Analysts of the north & south"}),
    ok_conn("attribute-only",
            {"credentials": DROP,
             ATTRIBUTE: {"attributeName": "env", "defaultValues": ["b", "a", "b", ""]}},
            then={f"{ATTRIBUTE}.state": "Present",
                  f"{ATTRIBUTE}.defaultValues": ["b", "a", "b", ""]}),
    ok_conn("attribute-absent", {"credentials": DROP, ATTRIBUTE: {"state": "Absent"}}),
    ok_conn("attribute-most-values",
            {ATTRIBUTE: {"attributeName": "env", "defaultValues": ["v" * 1024] * 100}}),
    ok_conn("attribute-null-is-dropped", {ATTRIBUTE: None}, then={ATTRIBUTE: DROP}),
    ok_conn("everything", {"baseRole": "QUERIER", ATTRIBUTE: {"state": "Absent"},
                           "suspend": True, "credentials.repushInterval": "24h",
                           "driftCheckInterval": "30m"}),
    ok_conn("repush-lowest", {"credentials.repushInterval": "1h"}),
    ok_conn("repush-minutes", {"credentials.repushInterval": "60m"}),
    ok_conn("repush-mixed", {"credentials.repushInterval": "1h30m15s"}),
    ok_conn("repush-fraction", {"credentials.repushInterval": "1.5h"}),
    ok_conn("repush-off", {"credentials.repushInterval": "0h"}),
    ok_conn("drift-off", {"driftCheckInterval": "0s"}),
    ok_conn("drift-lowest", {"driftCheckInterval": "60s"}),
]  # fmt: skip

BAD_URLS = {
    "no-scheme": "example.omniapp.co",
    "other-scheme": "ftp://example.omniapp.co",
    "user": "https://me:secret@example.omniapp.co",
    "path": "https://example.omniapp.co/api/v1",
    "query": "https://example.omniapp.co/?a=b",
    "fragment": "https://example.omniapp.co/#a",
    "no-host": "https:///api",
    "upper-case": "https://Example.omniapp.co",
    "underscore": "https://my_org.omniapp.co",
    "dot-at-end": "https://example.omniapp.co.",
    "port-0": "https://example.omniapp.co:0",
    "port-65536": "https://example.omniapp.co:65536",
    "port-empty": "https://example.omniapp.co:",
    "space": "https://example.omniapp.co ",
    "line-break": "https://example.omniapp.co\nx",
    "empty": "",
}
REPUSH_SAYS = "credentials.repushInterval must be 0s (off) or at least 1h"
DRIFT_SAYS = "driftCheckInterval must be 0s (off) or at least 1m"
NOTHING = "nothing to manage: set at least one of credentials, baseRole and environmentUserAttribute"
ONE_KIND = "set exactly one of credentials.password"
ONE_NAME = "set exactly one of connectionID and connectionName"
NEEDS_BOTH = "environmentUserAttribute requires attributeName and defaultValues"
FORBIDS_BOTH = "with state: Absent must not have attributeName and defaultValues"
IN_THE_URL = "it is the last part of the URL of the connection's page in Omni"
LOWER_CASE = "connectionID must be a lowercase UUID with dashes"

REFUSED = [
    # OmniInstance
    *(no_inst(f"url-{name}", {"baseURL": url}, "spec.baseURL", "baseURL must be https://HOST")
      for name, url in BAD_URLS.items()),
    no_inst("url-missing", {"baseURL": DROP}, "spec.baseURL", "Required value"),
    no_inst("url-long", {"baseURL": "https://" + "a." * 150 + "co"}, "spec.baseURL", "Too long"),
    no_inst("token-missing", {"apiTokenSecretRef": DROP}, "spec.apiTokenSecretRef",
            "Required value"),
    no_inst("token-name-missing", {"apiTokenSecretRef": {"key": "a"}},
            "spec.apiTokenSecretRef.name", "Required value"),
    no_inst("token-name", {"apiTokenSecretRef.name": "Omni_Token"}, "spec.apiTokenSecretRef.name",
            "apiTokenSecretRef.name must be the name of a Secret"),
    no_inst("token-key", {"apiTokenSecretRef.key": "a/b"}, "spec.apiTokenSecretRef.key",
            "apiTokenSecretRef.key must be a key of the Secret"),
    no_inst("ca-key", {"caBundleSecretRef": {"name": "ca", "key": ""}},
            "spec.caBundleSecretRef.key", "caBundleSecretRef.key must be a key of the Secret"),
    no_inst("rate-0", {"rateLimit.requestsPerMinute": 0}, "spec.rateLimit.requestsPerMinute",
            "greater than or equal to 1"),
    no_inst("rate-60001", {"rateLimit.requestsPerMinute": 60001},
            "spec.rateLimit.requestsPerMinute", "less than or equal to 60000"),
    no_inst("rate-text", {"rateLimit.requestsPerMinute": "60"}, "spec.rateLimit.requestsPerMinute",
            "must be of type integer"),
    no_inst("from", {"allowedNamespaces.from": "Some"}, "spec.allowedNamespaces.from",
            'supported values: "Same", "All", "Selector"'),
    no_inst("selector-missing", {"allowedNamespaces.from": "Selector"}, "spec.allowedNamespaces",
            "allowedNamespaces.selector is required with from: Selector"),
    no_inst("selector-forbidden", {f"{SELECTOR}.matchLabels": {"a": "b"}},
            "spec.allowedNamespaces", "allowedNamespaces.selector is only allowed with"),
    no_inst("selector-operator", selecting({"matchExpressions": [expression("Is", "a")]}),
            f"spec.{SELECTOR}.matchExpressions[0].operator", "Unsupported value"),
    no_inst("selector-in-nothing", selecting({"matchExpressions": [expression("In")]}),
            f"spec.{SELECTOR}.matchExpressions[0]", "values is required with"),
    no_inst("selector-exists-value", selecting({"matchExpressions": [expression("Exists", "a")]}),
            f"spec.{SELECTOR}.matchExpressions[0]", "not allowed with Exists"),
    no_inst("selector-label", selecting({"matchLabels": {"a": "-b"}}),
            f"spec.{SELECTOR}.matchLabels[a]", "a label's value must be"),
    no_inst("selector-label-key", selecting({"matchLabels": {"a b": "c"}}),
            f"spec.{SELECTOR}.matchLabels", "a label's key"),
    no_inst("connections-twice", {"allowedConnections": [ID, ID]}, "spec.allowedConnections[1]",
            "Duplicate value"),
    no_inst("connections-upper-case", {"allowedConnections": [ID.upper()]},
            "spec.allowedConnections[0]", "allowedConnections: each item must be a connection's ID"),
    no_inst("connections-url", {"allowedConnections": [f"https://a.omniapp.co/connections/{ID}"]},
            "spec.allowedConnections[0]", IN_THE_URL),
    no_inst("connections-name", {"allowedConnections": ["sales"]}, "spec.allowedConnections[0]",
            "not its name"),
    no_inst("connections-1001", {"allowedConnections": [
        f"00000000-0000-0000-0000-{number:012x}" for number in range(1001)]},
            "spec.allowedConnections", "Too many"),
    # OmniConnection
    no_conn("instance-missing", {"instanceRef": DROP}, "spec.instanceRef", "Required value"),
    no_conn("instance-name-missing", {"instanceRef": {}}, "spec.instanceRef.name",
            "Required value"),
    no_conn("instance-name", {"instanceRef.name": "Omni"}, "spec.instanceRef.name",
            "instanceRef.name must be the name of an OmniInstance"),
    no_conn("instance-namespace", {"instanceRef.namespace": "a.b"}, "spec.instanceRef.namespace",
            "instanceRef.namespace must be the name of a namespace"),
    no_conn("id-upper-case", {"connectionID": ID.upper()}, "spec.connectionID", LOWER_CASE),
    no_conn("id-no-dashes", {"connectionID": ID.replace("-", "")}, "spec.connectionID",
            LOWER_CASE),
    no_conn("id-empty", {"connectionID": ""}, "spec.connectionID", LOWER_CASE),
    no_conn("id-braces", {"connectionID": f"{{{ID}}}"}, "spec.connectionID", LOWER_CASE),
    no_conn("id-url", {"connectionID": f"https://example.omniapp.co/connections/{ID}"},
            "spec.connectionID", IN_THE_URL),
    no_conn("id-longest-url", {"connectionID": "https://a/" + "u" * 502}, "spec.connectionID",
            IN_THE_URL),
    no_conn("id-too-long", {"connectionID": "u" * 513}, "spec.connectionID", "Too long"),
    no_conn("id-name", {"connectionID": "Sales (production)"}, "spec.connectionID",
            "the connection's name goes into connectionName"),
    no_conn("id-and-name", {"connectionName": "warehouse"}, "spec", ONE_NAME),
    no_conn("neither-id-nor-name", {"connectionID": DROP}, "spec", ONE_NAME),
    no_conn("name-empty", {"connectionID": DROP, "connectionName": ""}, "spec.connectionName",
            "at least 1 chars long"),
    no_conn("name-control", {"connectionID": DROP, "connectionName": "a\nb"},
            "spec.connectionName", "connectionName must not contain control characters"),
    no_conn("name-long", {"connectionID": DROP, "connectionName": "a" * 257},
            "spec.connectionName", "Too long"),
    no_conn("nothing", {"credentials": DROP}, "spec", NOTHING),
    no_conn("credentials-empty", {"credentials": {}}, "spec.credentials", ONE_KIND),
    no_conn("credentials-two",
            {"credentials.bigQueryServiceAccount": {"secretRef": {"name": "sa"}}},
            "spec.credentials", ONE_KIND),
    no_conn("credentials-interval-only", {"credentials": {"repushInterval": "1h"}},
            "spec.credentials", ONE_KIND),
    no_conn("secret-ref-missing", {"credentials.password": {}}, f"spec.{PASSWORD}",
            "Required value"),
    no_conn("secret-name", {f"{PASSWORD}.name": "a..b"}, f"spec.{PASSWORD}.name",
            f"{PASSWORD}.name must be the name of a Secret"),
    no_conn("secret-name-long", {f"{PASSWORD}.name": "a" * 254}, f"spec.{PASSWORD}.name",
            "Too long"),
    no_conn("secret-key", {f"{PASSWORD}.key": "pass word"}, f"spec.{PASSWORD}.key",
            f"{PASSWORD}.key must be a key of the Secret"),
    no_conn("passphrase-key", {**SNOWFLAKE, f"{SNOWFLAKE_REF}.passphraseKey": ""},
            f"spec.{SNOWFLAKE_REF}.passphraseKey", "passphraseKey must be a key of the Secret"),
    no_conn("passphrase-is-key", {**SNOWFLAKE, f"{SNOWFLAKE_REF}.passphraseKey": "tls.key"},
            f"spec.{SNOWFLAKE_REF}", "passphraseKey must differ from key"),
    no_conn("passphrase-of-password", {f"{PASSWORD}.passphraseKey": "a"}, "",
            f'unknown field "spec.{PASSWORD}.passphraseKey"'),
    no_conn("role-empty", {"baseRole": ""}, "spec.baseRole", "at least 1 chars long"),
    no_conn("role-control", {"baseRole": "VIEWER\t"}, "spec.baseRole",
            "baseRole must not contain control characters"),
    no_conn("role-long", {"baseRole": "r" * 257}, "spec.baseRole", "Too long"),
    no_conn("attribute-empty", {ATTRIBUTE: {}}, f"spec.{ATTRIBUTE}", NEEDS_BOTH),
    no_conn("attribute-no-values", {ATTRIBUTE: {"attributeName": "env"}}, f"spec.{ATTRIBUTE}",
            NEEDS_BOTH),
    no_conn("attribute-no-name", {ATTRIBUTE: {"state": "Present", "defaultValues": ["a"]}},
            f"spec.{ATTRIBUTE}", NEEDS_BOTH),
    no_conn("attribute-absent-name", {ATTRIBUTE: {"state": "Absent", "attributeName": "env"}},
            f"spec.{ATTRIBUTE}", FORBIDS_BOTH),
    no_conn("attribute-absent-values", {ATTRIBUTE: {"state": "Absent", "defaultValues": []}},
            f"spec.{ATTRIBUTE}", FORBIDS_BOTH),
    no_conn("attribute-state", {ATTRIBUTE: {"state": "absent"}}, f"spec.{ATTRIBUTE}.state",
            'supported values: "Present", "Absent"'),
    no_conn("attribute-name-empty", {ATTRIBUTE: {"attributeName": "", "defaultValues": []}},
            f"spec.{ATTRIBUTE}.attributeName", "at least 1 chars long"),
    no_conn("attribute-101-values",
            {ATTRIBUTE: {"attributeName": "env", "defaultValues": ["v"] * 101}},
            f"spec.{ATTRIBUTE}.defaultValues", "Too many"),
    no_conn("attribute-value-long",
            {ATTRIBUTE: {"attributeName": "env", "defaultValues": ["v" * 1025]}},
            f"spec.{ATTRIBUTE}.defaultValues[0]", "Too long"),
    *(no_conn(f"repush-{text or 'empty'}", {"credentials.repushInterval": text},
              "spec.credentials.repushInterval", REPUSH_SAYS)
      for text in ("59m59s", "1s", "-1h", "1d", "1h ", "3600", "3600000ms", "999999h", "")),
    *(no_conn(f"drift-{text}", {"driftCheckInterval": text}, "spec.driftCheckInterval", DRIFT_SAYS)
      for text in ("59s", "0.5m", "1w", "hourly")),
    no_conn("suspend-text", {"suspend": "yes"}, "spec.suspend", "must be of type boolean"),
    no_conn("unknown-field", {"conectionID": ID}, "", 'unknown field "spec.conectionID"'),
    no_conn("inline-password", {"credentials.password.value": "hunter2"}, "",
            'unknown field "spec.credentials.password.value"'),
]  # fmt: skip


pytestmark = pytest.mark.xdist_group("crds")  # they share a control plane


@pytest.fixture(scope="module")
def control_plane(control_plane_bin: Path) -> Iterator[ControlPlane]:
    """One that no operator watches: objects are seen as the API server keeps them."""
    with ControlPlane(control_plane_bin) as plane:
        install_crds(plane)
        yield plane


@dataclass(frozen=True)
class Answers:
    """What the server made of all manifests, each handed to kubectl as a file of its own."""

    manifests: dict[str, dict[str, Any]]  # by the case's id
    refusals: dict[str, str]  # by the manifest's name
    stored: dict[str, dict[str, Any]]  # by the manifest's name


@pytest.fixture(scope="module")
def answers(
    control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory, figures: Any
) -> Answers:
    """One kubectl for all, since each takes a tenth of a second of a core to start."""
    namespace = control_plane.create_namespace("crds")
    directory = tmp_path_factory.mktemp("crds")
    manifests = {case.id: manifest_of(case) for case in ACCEPTED + REFUSED}
    for manifest in manifests.values():
        name = manifest["metadata"]["name"]
        (directory / f"{name}.json").write_text(json.dumps(manifest))
    flags = (f"--namespace={namespace}", f"--filename={directory}")
    said = control_plane.kubectl("apply", *flags, check=False).stderr
    lines = re.findall(r"^(Error .*?/(case-\d+)\.json\": .*)$", said, re.MULTILINE)
    refusals = {name: line for line, name in lines}
    assert len(refusals) == len(said.splitlines()), said
    got = control_plane.kubectl("get", "omni", f"--namespace={namespace}", "--output=json").stdout
    stored = {item["metadata"]["name"]: item for item in json.loads(got)["items"]}
    figures(
        "crds", f"{len(manifests)} manifests, {len(stored)} accepted, {len(refusals)} refused"
    )
    return Answers(manifests, refusals, stored)


def explain(manifest: dict[str, Any], said: str) -> str:
    return f"\nmanifest:\n{json.dumps(manifest, indent=2)[:4000]}\nthe server said:\n{said[:4000]}"


@pytest.mark.parametrize("case", ACCEPTED, ids=lambda case: case.id)
def test_accepted(answers: Answers, case: Case) -> None:
    manifest = answers.manifests[case.id]
    name = manifest["metadata"]["name"]
    assert name not in answers.refusals, explain(manifest, answers.refusals[name])
    stored = answers.stored[name]
    for dotted, expected in case.then.items():
        found = value_at(stored["spec"], dotted)
        shown = "absent" if found is DROP else found
        assert found == expected, f"spec.{dotted} is {shown}" + explain(manifest, str(stored))
    assert stored.get("status") == {"observedGeneration": -1}, explain(manifest, str(stored))


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.id)
def test_refused(answers: Answers, case: Case) -> None:
    manifest = answers.manifests[case.id]
    name = manifest["metadata"]["name"]
    assert name in answers.refusals, "it was accepted" + explain(manifest, "")
    assert name not in answers.stored
    said = answers.refusals[name]
    if case.path:
        named = f"{case.path}: "
        assert named in said, f"does not name {named}" + explain(manifest, said)
    assert case.says in said, f"lacks: {case.says}" + explain(manifest, said)
    # A rule that fails to evaluate says so instead of its message.
    for broken in ("no such key", "no such overload", "evaluation error"):
        assert broken not in said, explain(manifest, said)


def with_name(base: dict[str, Any], namespace: str, **more: Any) -> dict[str, Any]:
    manifest = copy.deepcopy(base) | more
    manifest["metadata"]["namespace"] = namespace
    return manifest


STATUS = {
    "observedGeneration": 1,
    "conditions": [
        {
            "type": "Ready",
            "status": "False",
            "reason": "Rejected",
            "message": "Omni says no",
            "observedGeneration": 1,
            "lastTransitionTime": "2026-01-02T03:04:05Z",
        }
    ],
}
CONNECTION_STATUS = {
    **STATUS,
    "connectionID": ID,
    "dialect": "postgres",
    "nextAttemptTime": "2026-01-02T03:14:05Z",
    "failures": 3,
    "lastPushTime": "2026-01-02T03:04:05Z",
    "lastHandledReconcileAt": "a",
    "lastHandledForceAt": "b",
    "applied": {
        "target": {"host": "example.omniapp.co", "connectionID": ID},
        "credential": {
            "secretName": "warehouse",
            "secretKey": "password",
            "secretUID": OTHER_ID,
            "secretResourceVersion": "12345",
            "rotationID": "r-1",
            "digest": "d" * 64,
            "keyID": "k1",
            "pushedAt": "2026-01-02T03:04:05.123456Z",
        },
        "baseRole": {"value": "VIEWER", "pushedAt": "2026-01-02T03:04:05Z"},
        "environmentUserAttribute": {
            "state": "Present",
            "attributeName": "env",
            "defaultValues": ["a", ""],
            "pushedAt": "2026-01-02T03:04:05Z",
        },
    },
    "rejected": {"generation": 1, "digest": "e" * 64},
}


def write_status(plane: ControlPlane, kind: str, name: str, namespace: str, status: Any) -> None:
    plane.kubectl(
        "patch", kind, name, f"--namespace={namespace}", "--subresource=status", "--type=merge",
        f"--patch={json.dumps({'status': status})}",
    )  # fmt: skip


@pytest.mark.parametrize(
    "base, status",
    [(INSTANCE, {**STATUS, "connections": 7}), (CONNECTION, CONNECTION_STATUS)],
    ids=["inst", "conn"],
)
def test_status_is_written_through_its_subresource_only(
    control_plane: ControlPlane, namespace: str, base: dict[str, Any], status: dict[str, Any]
) -> None:
    name = base["metadata"]["name"]
    control_plane.apply(with_name(base, namespace, status={"observedGeneration": 9}))
    assert control_plane.get(base["kind"], name, namespace)["status"] == {"observedGeneration": -1}

    write_status(control_plane, base["kind"], name, namespace, status)
    assert control_plane.get(base["kind"], name, namespace)["status"] == status

    control_plane.kubectl("patch", base["kind"], name, f"--namespace={namespace}", "--type=merge",
                          '--patch={"status":{"observedGeneration":9}}')  # fmt: skip
    stored = control_plane.get(base["kind"], name, namespace)
    assert stored["status"] == status
    assert stored["metadata"]["generation"] == 1


def test_columns_short_names_and_category(control_plane: ControlPlane, namespace: str) -> None:
    control_plane.apply([with_name(INSTANCE, namespace), with_name(CONNECTION, namespace)])
    write_status(control_plane, "oinst", "omni", namespace, {**STATUS, "connections": 7})
    write_status(control_plane, "oconn", "warehouse", namespace, CONNECTION_STATUS)

    def rows(*what: str) -> list[list[str]]:
        text = control_plane.kubectl("get", *what, f"--namespace={namespace}").stdout
        # kubectl sets columns apart by three spaces or more.
        return [re.split(r" {3,}", line.strip()) for line in text.splitlines()]

    header, values = rows("oinst")
    assert header == ["NAME", "URL", "READY", "REASON", "CONNECTIONS", "AGE"]
    assert values[:5] == ["omni", "https://example.omniapp.co", "False", "Rejected", "7"]

    header, values = rows("oconn")
    assert header == ["NAME", "INSTANCE", "READY", "REASON", "LAST-PUSH", "AGE"]
    assert values[:4] == ["warehouse", "omni", "False", "Rejected"]

    header, values = rows("oconn", "-o", "wide")
    assert header[6:] == ["CONNECTION", "DIALECT", "NEXT-ATTEMPT", "MESSAGE"]
    assert values[6:] == [ID, "postgres", "2026-01-02T03:14:05Z", "Omni says no"]

    listed = control_plane.kubectl("get", "omni", "-o", "name", f"--namespace={namespace}").stdout
    assert sorted(listed.split()) == [
        "omniconnection.omniconnection.io/warehouse",
        "omniinstance.omniconnection.io/omni",
    ]


def schemas(plane: ControlPlane) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema in both CRDs, each with its path."""

    def walk(path: str, schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
        yield path, schema
        for name, child in schema.get("properties", {}).items():
            yield from walk(f"{path}.{name}", child)
        if isinstance(schema.get("items"), dict):
            yield from walk(f"{path}[]", schema["items"])
        if isinstance(schema.get("additionalProperties"), dict):
            yield from walk(f"{path}.*", schema["additionalProperties"])

    for plural in ("omniinstances", "omniconnections"):
        crd = plane.get("crd", f"{plural}.omniconnection.io")
        (version,) = crd["spec"]["versions"]
        yield from walk(plural, version["schema"]["openAPIV3Schema"])


def test_every_field_is_described_and_bounded(control_plane: ControlPlane) -> None:
    faults, seen = [], 0
    for path, schema in schemas(control_plane):
        seen += 1
        kind = schema["type"]
        # The server allows no description for metadata: it has its own.
        if "description" not in schema and not path.endswith(".metadata"):
            faults.append(f"{path}: no description")
        if kind == "string" and not {"maxLength", "enum", "format"} & schema.keys():
            faults.append(f"{path}: a string without maxLength, enum or format")
        if kind == "array" and not {"maxItems", "x-kubernetes-list-type"} <= schema.keys():
            faults.append(f"{path}: a list without maxItems or x-kubernetes-list-type")
        if kind == "object" and "additionalProperties" in schema and "maxProperties" not in schema:
            faults.append(f"{path}: a map without maxProperties")
        if kind == "integer" and not ("minimum" in schema and {"maximum", "format"} & schema.keys()):
            faults.append(f"{path}: a number without minimum, or without maximum and format")
        if "[]" in path and "default" in schema:
            faults.append(f"{path}: a default inside a list item")
        if "x-kubernetes-preserve-unknown-fields" in schema:
            faults.append(f"{path}: keeps unknown fields")
        for rule in schema.get("x-kubernetes-validations", []):
            if not rule.get("message"):
                faults.append(f"{path}: a rule without message: {rule['rule']}")
    assert not faults, "\n".join(faults)
    assert seen > 100


@pytest.mark.parametrize("kind", ["oinst", "oconn"])
def test_explain_describes_every_field(control_plane: ControlPlane, kind: str) -> None:
    for part in ("spec", "status"):
        text = control_plane.kubectl("explain", f"{kind}.{part}").stdout
        assert "FIELDS:" in text and "<no description>" not in text, text
