"""Operators side by side, each without one of the rights that deploy/kustomize gives, and each with
what takes every right to be in step."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Iterable, Iterator

from control_plane import ControlPlane
from installation import ACCOUNT, OPERATOR_NAMESPACE, OVERLAYS, kustomize
from kube_bulk import CONNECTIONS_PATH, SECRETS_PATH, KubeBulk, Request
from tenant import GROUP, TOKEN, Emulator, Operator

LEASES = "apis/coordination.k8s.io/v1/namespaces/{}/leases"
LEASE_NAME = "omni-connection-operator"
RBAC = "apis/rbac.authorization.k8s.io/v1"
INSTANCES_PATH = "apis/omniconnection.io/v1alpha1/namespaces/{}/omniinstances"


@dataclass(frozen=True)
class Right:
    """One verb on one resource, as a rule of a role gives it."""

    overlay: str
    role: str  # "watched": in what is watched; "own": in the operator's namespace
    resource: str
    verb: str
    names: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.overlay}: {self.verb} {self.resource}, {self.role}"


@cache
def roles(plane: ControlPlane, overlay: str) -> dict[str, list[dict[str, Any]]]:
    """The rules of what an overlay binds to the operator's account, by `Right.role`."""
    objects = kustomize(plane, OVERLAYS / overlay)
    bound = [o for o in objects if o["kind"].endswith("RoleBinding")]
    for binding in bound:
        assert [(s["name"], s["namespace"]) for s in binding["subjects"]] == [
            (ACCOUNT, OPERATOR_NAMESPACE)
        ]
    found = {}
    for binding in bound:
        metadata = binding["metadata"]
        own = metadata.get("namespace") == OPERATOR_NAMESPACE
        (rules,) = [
            o["rules"]
            for o in objects
            if o["kind"] == binding["roleRef"]["kind"]
            and o["metadata"]["name"] == binding["roleRef"]["name"]
            and o["metadata"].get("namespace") == metadata.get("namespace")
        ]
        found["own" if own else "watched"] = rules
    assert set(found) == {"own", "watched"} and len(bound) == 2
    return found


def rights(plane: ControlPlane, overlay: str) -> Iterator[Right]:
    for role, rules in roles(plane, overlay).items():
        for rule in rules:
            for resource in rule["resources"]:
                for verb in rule["verbs"]:
                    names = tuple(rule.get("resourceNames", ()))
                    yield Right(overlay, role, resource, verb, names)


def without(rules: list[dict[str, Any]], right: Right) -> list[dict[str, Any]]:
    """One rule for each resource, and the right left out."""
    out = []
    for rule in rules:
        for resource in rule["resources"]:
            verbs = list(rule["verbs"])
            if (resource, tuple(rule.get("resourceNames", ()))) == (right.resource, right.names):
                verbs = [verb for verb in verbs if verb != right.verb]
            if verbs:
                out.append({**rule, "resources": [resource], "verbs": verbs})
    return out


@dataclass
class Trial:
    """An operator in namespaces of its own, also where its rights are for all, lest they meet. It
    watches `ns` and `guest`, in each an OmniConnection, and keeps its Lease in `own`. The guest's
    uses the instance of `ns`, which allows it: by a selector where the operator may watch
    namespaces."""

    plane: ControlPlane
    emulator: Emulator
    overlay: str
    missing: Right | None
    number: int
    ids: dict[str, str] = field(default_factory=dict)  # of the connections, by namespace
    operator: Operator = field(init=False)

    def __post_init__(self) -> None:
        self.ns, self.guest, self.own = (
            f"trial-{self.number}-{kind}" for kind in ("ns", "guest", "own")
        )
        self.ids = {ns: self.emulator.new_connection() for ns in (self.ns, self.guest)}

    @property
    def begins_as_standby(self) -> bool:
        """Only who stands by watches the Lease; all others find that there is none."""
        return not self.missing or (
            self.missing.resource == "leases" and self.missing.verb in ("list", "watch")
        )

    # What it consists of, as requests that follow one another in this order.

    def namespaces(self) -> Iterator[Request]:
        for name in (self.ns, self.guest, self.own):
            yield "POST", "api/v1/namespaces", {"metadata": {"name": name, "labels": {"in": self.ns}}}

    def objects(self) -> Iterator[Request]:
        account = {"metadata": {"name": ACCOUNT}}
        yield "POST", f"api/v1/namespaces/{self.own}/serviceaccounts", account
        found = roles(self.plane, self.overlay)
        for role, rules in found.items():
            if self.missing and self.missing.role == role:
                rules = without(rules, self.missing)
            if role == "watched" and self.overlay == "cluster-wide":
                yield from self._grant("Cluster", "", f"trial-{self.number}", rules)
            else:
                for ns in [self.own] if role == "own" else [self.ns, self.guest]:
                    yield from self._grant("", f"namespaces/{ns}/", ACCOUNT, rules)
        yield self._secret("omni-token", token=TOKEN)
        yield self._secret("omni-ca", **{"ca.crt": self.emulator.ca})
        yield self._secret("db", password="the-first-password")
        allowed: dict[str, Any] = {"from": "All"}
        if self.overlay == "cluster-wide":
            allowed = {"from": "Selector", "selector": {"matchLabels": {"in": self.ns}}}
        instance = {
            "baseURL": self.emulator.url,
            "apiTokenSecretRef": {"name": "omni-token"},
            "caBundleSecretRef": {"name": "omni-ca"},
            "rateLimit": {"requestsPerMinute": 60000},
            "allowedNamespaces": allowed,
        }
        yield "POST", INSTANCES_PATH.format(self.ns), self._manifest("OmniInstance", instance)
        for ns, connection_id in self.ids.items():
            spec: dict[str, Any] = {
                "instanceRef": {"name": "omni", "namespace": self.ns},
                "connectionID": connection_id,
                "baseRole": "VIEWER",
            }
            if ns == self.ns:
                spec["credentials"] = {"password": {"secretRef": {"name": "db"}}}
            manifest = self._manifest("OmniConnection", spec)
            yield "POST", CONNECTIONS_PATH.format(ns), manifest
        if self.begins_as_standby:
            held = {"holderIdentity": "another", "leaseDurationSeconds": 15}
            yield "POST", LEASES.format(self.own), {"metadata": {"name": LEASE_NAME}, "spec": held}

    def release(self) -> Request:
        """The Lease, by who holds it while the trial stands by."""
        released = {"holderIdentity": "", "leaseDurationSeconds": 1}
        return "PATCH", f"{LEASES.format(self.own)}/{LEASE_NAME}", {"spec": released}

    def rotation(self, value: str) -> Request:
        path = f"{SECRETS_PATH.format(self.ns)}/db"
        return "PATCH", path, {"stringData": {"password": value}}

    def force(self, token: str) -> Request:
        """Everything is sent again, and the Events of it are those of before once more."""
        path = f"{CONNECTIONS_PATH.format(self.ns)}/omni"
        annotations = {"reconcile.omniconnection.io/forceAt": token}
        return "PATCH", path, {"metadata": {"annotations": annotations}}

    def launch(self, binary: Path, logs: Path) -> None:
        self.operator = Operator(
            *(binary, self.plane, logs / f"{self.number}.log"),
            *("--allowed-hosts", self.emulator.host, "--operator-namespace", self.own),
            *("--namespace", self.ns, "--namespace", self.guest),
            kubeconfig=self.plane.kubeconfig_for(self.own, ACCOUNT),
        )
        self.operator.launch()

    # What can be seen of it.

    def readiness(self) -> str:
        return self.operator.get(self.operator.health, "/readyz")[1]

    def said(self, message: str, about: str) -> bool:
        """Whether a line of its log has this message, and `about` anywhere in it."""
        lines = self.operator.log.read_text().splitlines()
        return any(f'"msg":"{message}"' in line and about in line for line in lines)

    def reason(self, ns: str, kind: str = "omniconnections") -> str:
        """Of `Ready` in the status; empty: no status."""
        status = self.plane.get(kind, "omni", ns).get("status", {})
        found = [c["reason"] for c in status.get("conditions", []) if c["type"] == "Ready"]
        return found[0] if found else ""

    def passwords(self, ns: str) -> list[str]:
        """That Omni got."""
        bodies = self.emulator.bodies(self.ids[ns])
        return [body["passwordUnencrypted"] for body in bodies if "passwordUnencrypted" in body]

    def events(self) -> list[dict[str, Any]]:
        arguments = ("get", "events.events.k8s.io", "-n", self.ns, "-o", "json")
        return json.loads(self.plane.kubectl(*arguments).stdout)["items"]

    def _grant(self, scope: str, where: str, name: str, rules: list[Any]) -> Iterator[Request]:
        kind = f"{scope}Role"
        metadata = {"name": name}
        yield "POST", f"{RBAC}/{where}{kind.lower()}s", {"metadata": metadata, "rules": rules}
        yield "POST", f"{RBAC}/{where}{kind.lower()}bindings", {
            "metadata": metadata,
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": ACCOUNT, "namespace": self.own}],
        }

    def _secret(self, name: str, **values: str) -> Request:
        return "POST", SECRETS_PATH.format(self.ns), {"metadata": {"name": name}, "stringData": values}

    @staticmethod
    def _manifest(kind: str, spec: dict[str, Any]) -> dict[str, Any]:
        return {"apiVersion": GROUP, "kind": kind, "metadata": {"name": "omni"}, "spec": spec}


def set_up(bulk: KubeBulk, trials: Iterable[Trial]) -> None:
    trials = list(trials)
    bulk.send(request for trial in trials for request in trial.namespaces())
    bulk.send(request for trial in trials for request in trial.objects())
