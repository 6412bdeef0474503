"""The CRDs on a real API server: what `kubectl apply` takes, and what it refuses, with a message that
names the field."""

from __future__ import annotations

import copy
import itertools
import json
from typing import Any, Callable, Iterator

import pytest

from control_plane import ControlPlane

GROUP = "omniconnection.io/v1alpha1"
ID = "0f8fad5b-d9cb-469f-a165-70867728950e"
DELETE = object()

CONNECTION: dict[str, Any] = {
    "instanceRef": {"name": "omni"},
    "connectionID": ID,
    "baseRole": "VIEWER",
}
INSTANCE: dict[str, Any] = {
    "baseURL": "https://acme.omniapp.co",
    "apiTokenSecretRef": {"name": "omni-token"},
}


def secret(**more: Any) -> dict[str, Any]:
    return {"secretRef": {"name": "db", **more}}


def attribute(**fields: Any) -> dict[str, Any]:
    return {"environmentUserAttribute": fields}


# Changes to the valid spec above; then None where it is accepted, else what the refusal names.
CONNECTIONS: list[tuple[str, dict[str, Any], str | None]] = [
    ("as it is", {}, None),
    ("a name instead", {"connectionID": DELETE, "connectionName": "The Warehouse"}, None),
    ("a name and an id", {"connectionName": "x"}, "exactly one of connectionID and connectionName"),
    ("neither", {"connectionID": DELETE}, "exactly one of connectionID and connectionName"),
    ("an upper-case id", {"connectionID": ID.upper()}, "spec.connectionID"),
    ("an id in braces", {"connectionID": "{" + ID[2:]}, "spec.connectionID"),
    ("an id without dashes", {"connectionID": ID.replace("-", "")}, "spec.connectionID"),
    ("an id with a line break", {"connectionID": ID[:-1] + "\n"}, "spec.connectionID"),
    ("an empty name", {"connectionID": DELETE, "connectionName": ""}, "spec.connectionName"),
    ("a long name", {"connectionID": DELETE, "connectionName": "x" * 257}, "spec.connectionName"),
    ("a tab", {"connectionID": DELETE, "connectionName": "a\tb"}, "spec.connectionName"),
    ("no instance", {"instanceRef": DELETE}, "spec.instanceRef"),
    ("an unnamed instance", {"instanceRef": {}}, "spec.instanceRef.name"),
    ("an instance that cannot be", {"instanceRef": {"name": "A_b"}}, "spec.instanceRef.name"),
    ("of a namespace", {"instanceRef": {"name": "o", "namespace": "platform"}}, None),
    ("of no namespace", {"instanceRef": {"name": "o", "namespace": "a/b"}}, "instanceRef.namespace"),
    ("nothing to manage", {"baseRole": DELETE}, "at least one of"),
    ("a password", {"credentials": {"password": secret()}}, None),
    ("a password's key", {"credentials": {"password": secret(key="db.pw_1-a")}}, None),
    ("a service account", {"credentials": {"bigQueryServiceAccount": secret()}}, None),
    ("a key", {"credentials": {"snowflakePrivateKey": secret(passphraseKey="pp")}}, None),
    (
        "two kinds of credential",
        {"credentials": {"password": secret(), "snowflakePrivateKey": secret()}},
        "exactly one of credentials.password, credentials.bigQueryServiceAccount and",
    ),
    ("no kind", {"credentials": {}}, "exactly one of credentials.password"),
    ("no secretRef", {"credentials": {"password": {}}}, "password.secretRef"),
    ("no secret", {"credentials": {"password": {"secretRef": {}}}}, "secretRef.name"),
    ("no Secret's name", {"credentials": {"password": secret(name="A")}}, "secretRef.name"),
    ("no Secret's key", {"credentials": {"password": secret(key="a/b")}}, "secretRef.key"),
    (
        "no passphrase's key",
        {"credentials": {"snowflakePrivateKey": secret(passphraseKey="a b")}},
        "passphraseKey",
    ),
    ("repush off", {"credentials": {"password": secret(), "repushInterval": "0s"}}, None),
    ("repush", {"credentials": {"password": secret(), "repushInterval": "24h"}}, None),
    (
        "too often",
        {"credentials": {"password": secret(), "repushInterval": "30m"}},
        "credentials.repushInterval",
    ),
    (
        "days",
        {"credentials": {"password": secret(), "repushInterval": "1d"}},
        "credentials.repushInterval",
    ),
    ("a custom role", {"baseRole": "Analysts, EMEA"}, None),
    ("an empty role", {"baseRole": ""}, "spec.baseRole"),
    ("a long role", {"baseRole": "x" * 257}, "spec.baseRole"),
    ("a role of two lines", {"baseRole": "a\nb"}, "spec.baseRole"),
    ("present", attribute(attributeName="env", defaultValues=["a", "b"]), None),
    ("said present", attribute(state="Present", attributeName="e", defaultValues=[]), None),
    ("absent", attribute(state="Absent"), None),
    ("absent alone", {"baseRole": DELETE, **attribute(state="Absent")}, None),
    ("no values", attribute(attributeName="env"), "environmentUserAttribute"),
    ("no attribute", attribute(defaultValues=["a"]), "environmentUserAttribute"),
    ("absent with values", attribute(state="Absent", defaultValues=["a"]), "Absent"),
    ("absent with a name", attribute(state="Absent", attributeName="a"), "Absent"),
    ("another state", attribute(state="Gone"), "environmentUserAttribute.state"),
    (
        "too many values",
        attribute(attributeName="env", defaultValues=["v"] * 101),
        "environmentUserAttribute.defaultValues",
    ),
    (
        "a long value",
        attribute(attributeName="env", defaultValues=["v" * 1025]),
        "environmentUserAttribute.defaultValues",
    ),
    ("drift off", {"driftCheckInterval": "0s"}, None),
    ("drift", {"driftCheckInterval": "1h30m"}, None),
    ("drift too often", {"driftCheckInterval": "59s"}, "spec.driftCheckInterval"),
    ("drift in words", {"driftCheckInterval": "hourly"}, "spec.driftCheckInterval"),
    ("negative drift", {"driftCheckInterval": "-1h"}, "spec.driftCheckInterval"),
    ("suspended", {"suspend": True}, None),
    ("half suspended", {"suspend": "maybe"}, "spec.suspend"),
    ("an unknown field", {"baseRoll": "VIEWER"}, "baseRoll"),
    ("an unknown field inside", {"instanceRef": {"name": "o", "nam": "x"}}, "nam"),
]

SELECTOR = {"matchLabels": {"team": "data"}}
INSTANCES: list[tuple[str, dict[str, Any], str | None]] = [
    ("as it is", {}, None),
    ("a slash", {"baseURL": "https://acme.omniapp.co/"}, None),
    ("the api", {"baseURL": "https://acme.omniapp.co/api"}, None),
    ("a port", {"baseURL": "https://127.0.0.1:8443"}, None),
    ("http", {"baseURL": "http://127.0.0.1:8080"}, None),
    ("another path", {"baseURL": "https://acme.omniapp.co/x"}, "spec.baseURL"),
    ("a query", {"baseURL": "https://acme.omniapp.co?x=1"}, "spec.baseURL"),
    ("a user", {"baseURL": "https://me:pw@acme.omniapp.co"}, "spec.baseURL"),
    ("no scheme", {"baseURL": "acme.omniapp.co"}, "spec.baseURL"),
    ("ftp", {"baseURL": "ftp://acme.omniapp.co"}, "spec.baseURL"),
    ("no host", {"baseURL": "https://"}, "spec.baseURL"),
    ("no URL", {"baseURL": DELETE}, "spec.baseURL"),
    ("no token", {"apiTokenSecretRef": DELETE}, "spec.apiTokenSecretRef"),
    ("an unnamed token", {"apiTokenSecretRef": {}}, "spec.apiTokenSecretRef.name"),
    ("a token's bad key", {"apiTokenSecretRef": {"name": "a", "key": "!"}}, "apiTokenSecretRef.key"),
    ("a rate", {"rateLimit": {"requestsPerMinute": 500}}, None),
    ("no rate", {"rateLimit": {"requestsPerMinute": 0}}, "rateLimit.requestsPerMinute"),
    ("a high rate", {"rateLimit": {"requestsPerMinute": 60001}}, "rateLimit.requestsPerMinute"),
    ("all namespaces", {"allowedNamespaces": {"from": "All"}}, None),
    ("selected", {"allowedNamespaces": {"from": "Selector", "selector": SELECTOR}}, None),
    ("no selector", {"allowedNamespaces": {"from": "Selector"}}, "selector"),
    ("a needless selector", {"allowedNamespaces": {"from": "All", "selector": SELECTOR}}, "selector"),
    ("from elsewhere", {"allowedNamespaces": {"from": "Some"}}, "allowedNamespaces.from"),
    ("connections", {"allowedConnections": [ID]}, None),
    ("a connection twice", {"allowedConnections": [ID, ID]}, "spec.allowedConnections"),
    ("no connection", {"allowedConnections": ["x"]}, "spec.allowedConnections"),
    ("a CA", {"caBundleSecretRef": {"name": "ca"}}, None),
    ("an unnamed CA", {"caBundleSecretRef": {"key": "ca.crt"}}, "spec.caBundleSecretRef.name"),
    ("an unknown field", {"baseUrl": "x"}, "baseUrl"),
]

CASES = [("OmniConnection", CONNECTION, *case) for case in CONNECTIONS] + [
    ("OmniInstance", INSTANCE, *case) for case in INSTANCES
]
counts = {"accepted": 0, "refused": 0}


def manifest(kind: str, spec: dict[str, Any], namespace: str = "default") -> dict[str, Any]:
    metadata = {"name": "sample", "namespace": namespace}
    return {"apiVersion": GROUP, "kind": kind, "metadata": metadata, "spec": spec}


@pytest.fixture(scope="module", autouse=True)
def summary(figures: Callable[[str, str], None]) -> Iterator[None]:
    yield
    total = sum(counts.values())
    figures("crds", f"{total} manifests, {counts['accepted']} accepted, {counts['refused']} refused")


@pytest.mark.parametrize(
    ("kind", "base", "title", "changes", "names"), CASES, ids=lambda v: v if isinstance(v, str) else ""
)
def test_manifest(
    control_plane: ControlPlane,
    kind: str,
    base: dict[str, Any],
    title: str,
    changes: dict[str, Any],
    names: str | None,
) -> None:
    spec = {k: v for k, v in {**copy.deepcopy(base), **changes}.items() if v is not DELETE}
    document = json.dumps(manifest(kind, spec), indent=1)
    done = control_plane.kubectl(
        "apply", "--dry-run=server", "-f", "-", input=document, check=False
    )
    said = f"{title}\n{document}\n{done.stdout}{done.stderr}"
    if names is None:
        assert done.returncode == 0, said
        counts["accepted"] += 1
    else:
        assert done.returncode != 0, said
        assert names in done.stderr, said
        counts["refused"] += 1


def test_defaults(control_plane: ControlPlane, namespace: str) -> None:
    spec = {**CONNECTION, "credentials": {"snowflakePrivateKey": secret()}}
    spec["environmentUserAttribute"] = {"attributeName": "env", "defaultValues": ["a"]}
    control_plane.apply(
        [manifest("OmniConnection", spec, namespace), manifest("OmniInstance", INSTANCE, namespace)]
    )
    connection = control_plane.get("oconn", "sample", namespace)
    assert connection["status"] == {"observedGeneration": -1}
    assert connection["spec"]["driftCheckInterval"] == "1h"
    assert connection["spec"]["environmentUserAttribute"]["state"] == "Present"
    reference = connection["spec"]["credentials"]["snowflakePrivateKey"]["secretRef"]
    assert reference["key"] == "tls.key"
    instance = control_plane.get("oinst", "sample", namespace)
    assert instance["status"] == {"observedGeneration": -1}
    assert instance["spec"]["apiTokenSecretRef"]["key"] == "token"


def test_null_is_dropped_and_absent_is_not(control_plane: ControlPlane, namespace: str) -> None:
    control_plane.apply(
        manifest("OmniConnection", {**CONNECTION, "environmentUserAttribute": None}, namespace)
    )
    assert "environmentUserAttribute" not in control_plane.get("oconn", "sample", namespace)["spec"]
    absent = {**CONNECTION, "environmentUserAttribute": {"state": "Absent"}}
    control_plane.apply(manifest("OmniConnection", absent, namespace))
    spec = control_plane.get("oconn", "sample", namespace)["spec"]
    assert spec["environmentUserAttribute"] == {"state": "Absent"}


def test_the_status_is_apart(control_plane: ControlPlane, namespace: str) -> None:
    control_plane.apply(
        {**manifest("OmniConnection", CONNECTION, namespace), "status": {"dialect": "forged"}}
    )
    assert "dialect" not in control_plane.get("oconn", "sample", namespace)["status"]


def test_names_and_columns(control_plane: ControlPlane, namespace: str) -> None:
    control_plane.apply(
        [
            manifest("OmniConnection", CONNECTION, namespace),
            manifest("OmniInstance", INSTANCE, namespace),
        ]
    )

    def head(*arguments: str) -> list[str]:
        return control_plane.kubectl("-n", namespace, "get", *arguments).stdout.split("\n")[0].split()

    narrow = ["NAME", "INSTANCE", "READY", "REASON", "LAST-PUSH", "AGE"]
    assert head("oconn") == narrow
    assert head("oconn", "-o", "wide") == narrow + [
        "CONNECTION",
        "DIALECT",
        "NEXT-ATTEMPT",
        "MESSAGE",
    ]
    assert head("oinst") == ["NAME", "URL", "READY", "REASON", "CONNECTIONS", "AGE"]
    both = control_plane.kubectl("-n", namespace, "get", "omni", "-o", "name").stdout.split()
    assert both == [
        "omniconnection.omniconnection.io/sample",
        "omniinstance.omniconnection.io/sample",
    ]
    explained = control_plane.kubectl("explain", "oconn.spec.credentials").stdout
    assert "snowflakePrivateKey" in explained and "repushInterval" in explained


def unbounded(schema: dict[str, Any], path: str) -> Iterator[str]:
    """The fields that lack a description or a bound."""
    if path and "description" not in schema and not path.endswith(("[]", "{}", "metadata")):
        yield f"{path}: no description"
    kind = schema.get("type")
    if kind == "string" and not {"maxLength", "enum", "format"} & schema.keys():
        yield f"{path}: no maxLength"
    if kind == "array":
        if "maxItems" not in schema:
            yield f"{path}: no maxItems"
        yield from unbounded(schema["items"], path + "[]")
    if "additionalProperties" in schema:
        if "maxProperties" not in schema:
            yield f"{path}: no maxProperties"
        yield from unbounded(schema["additionalProperties"], path + "{}")
    for name, inner in schema.get("properties", {}).items():
        yield from unbounded(inner, f"{path}.{name}")


def test_every_field_is_described_and_bounded(control_plane: ControlPlane) -> None:
    problems = []
    for plural in ("omniconnections", "omniinstances"):
        crd = control_plane.get("crd", f"{plural}.omniconnection.io")
        schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
        problems += list(itertools.islice(unbounded(schema, ""), 20))
    assert not problems, "\n".join(problems)
