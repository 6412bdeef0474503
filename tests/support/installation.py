"""What the operator needs in a cluster, applied to a control plane: the CRDs, and what
deploy/kustomize has, of which only the rights matter where no controller runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import yaml

from control_plane import ControlPlane, wait_until

ROOT = Path(__file__).resolve().parents[2]
CRDS = ROOT / "crds"
OVERLAYS = ROOT / "deploy" / "kustomize" / "overlays"
OPERATOR_NAMESPACE = "omni-connection-operator-system"
ACCOUNT = "omni-connection-operator"  # and the names of its roles, of the Lease too
ESTABLISHED_SECONDS = 30
TOKEN_DURATION = "24h"  # longer than any run of the tests

_kubeconfigs: WeakKeyDictionary[ControlPlane, Path] = WeakKeyDictionary()


def install_crds(plane: ControlPlane) -> None:
    """Applies the CRDs and waits until the API server serves them."""
    plane.kubectl("apply", "--filename", str(CRDS))
    crds = ("crd/omniinstances.omniconnection.io", "crd/omniconnections.omniconnection.io")
    wait = ("wait", "--for=condition=Established", f"--timeout={ESTABLISHED_SECONDS}s", *crds)
    # It fails at once, not by its timeout, on a CRD that has no conditions yet.
    wait_until(
        lambda: plane.kubectl(*wait, check=False).returncode == 0,
        ESTABLISHED_SECONDS,
        "the CRDs are established",
    )


def operator_kubeconfig(plane: ControlPlane) -> Path:
    """Of the operator's own service account, with the rights that the cluster-wide overlay gives it
    and no others. The overlay is applied at the first call."""
    if plane not in _kubeconfigs:
        plane.kubectl("apply", "--kustomize", str(OVERLAYS / "cluster-wide"))
        _kubeconfigs[plane] = plane.kubeconfig_for(
            OPERATOR_NAMESPACE, ACCOUNT, duration=TOKEN_DURATION
        )
    return _kubeconfigs[plane]


def allow_lease(plane: ControlPlane, name: str, ns: str = OPERATOR_NAMESPACE) -> None:
    """The rights in the operator's namespace once more, as for an operator with another Lease or
    another such namespace."""
    operator_kubeconfig(plane)
    role, binding = (
        plane.get(kind, ACCOUNT, OPERATOR_NAMESPACE) for kind in ("role", "rolebinding")
    )
    metadata = {"name": f"lease-{name}", "namespace": ns}
    rules: list[dict[str, Any]] = role["rules"]
    for rule in rules:
        if rule["resources"] == ["leases"] and "resourceNames" in rule:
            rule["resourceNames"] = [name]
    reference = {**binding["roleRef"], "name": metadata["name"]}
    plane.apply(
        [
            {**base(role), "metadata": metadata, "rules": rules},
            {
                **base(binding),
                "metadata": metadata,
                "roleRef": reference,
                "subjects": binding["subjects"],
            },
        ]
    )


def base(manifest: dict[str, Any]) -> dict[str, Any]:
    return {key: manifest[key] for key in ("apiVersion", "kind")}


def kustomize(plane: ControlPlane, directory: Path) -> list[dict[str, Any]]:
    """The objects that a kustomization renders to, as kubectl has it."""
    return list(yaml.safe_load_all(plane.kubectl("kustomize", str(directory)).stdout))
