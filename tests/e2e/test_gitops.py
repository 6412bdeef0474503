"""Manifests that are applied again, by any client: no difference, and nothing is sent to Omni."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest
import yaml

from control_plane import ControlPlane
from tenant import Tenant, make_certificate
from test_push import openssl

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
CLIENTS = {
    "kubectl": [],
    "kubectl --server-side": ["--server-side"],
    "Argo CD": ["--server-side", "--force-conflicts", "--field-manager=argocd-controller"],
    "Flux": ["--server-side", "--field-manager=kustomize-controller"],
}


def documents(folder: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    for path in sorted(folder.rglob("*.yaml")):
        for document in yaml.safe_load_all(path.read_text()):
            yield path, document


def samples_for(tenant: Tenant) -> list[dict[str, Any]]:
    """All of deploy/samples, with connections of the emulator in place of the examples."""
    manifests = [document for _, document in documents(DEPLOY / "samples")]
    dialects = {"password": "postgres", "bigQueryServiceAccount": "bigquery"}
    for manifest in manifests:
        spec = manifest["spec"]
        if manifest["kind"] == "OmniInstance":
            spec.update(baseURL=tenant.emulator.url, caBundleSecretRef={"name": "omni-ca"})
            # All tests share the key, and the lowest limit applies.
            spec["rateLimit"] = {"requestsPerMinute": 60000}
            continue
        (kind,) = spec["credentials"]
        name = f"{manifest['metadata']['name']} of {tenant.ns}"
        connection = tenant.emulator.new_connection(dialects.get(kind, "snowflake"), name=name)
        if "connectionID" in spec:
            spec["connectionID"] = connection
        else:
            spec["connectionName"] = name
    return manifests


def make_secrets(tenant: Tenant, directory: Path) -> None:
    """The Secrets that deploy/samples name."""
    certificate, key = make_certificate(directory)
    assert certificate.exists()
    account = {
        "type": "service_account",
        "project_id": "warehouse",
        "private_key": key.read_text(),
        "client_email": "omni@warehouse.iam.gserviceaccount.com",
    }
    tenant.secret("omni-api-key", token=tenant.credentials[0])
    tenant.secret("sales-db", password="the-same-all-along")
    tenant.secret("events-bigquery", **{"service-account.json": json.dumps(account)})
    tenant.secret("finance-snowflake", **{"tls.key": openssl("rsa", "-in", str(key), "-traditional")})


def pushes(tenant: Tenant) -> int:
    return sum(r["method"] == "PATCH" for r in tenant.emulator.requests())


@pytest.mark.parametrize(
    "creator",
    [c if c == "Argo CD" else pytest.param(c, marks=pytest.mark.long) for c in CLIENTS],
)
def test_applying_again_changes_nothing(
    tenant: Tenant, tmp_path: Path, creator: str, figures: Callable[[str, str], None]
) -> None:
    tenant.kubectl("delete", "oinst/omni")  # the samples have one of this name
    make_secrets(tenant, tmp_path)
    manifests = samples_for(tenant)
    file = tmp_path / "manifests.json"
    file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": manifests}))

    tenant.kubectl("apply", "-f", str(file), *CLIENTS[creator])
    kinds = {"OmniInstance": "oinst", "OmniConnection": "oconn"}
    objects = [(kinds[m["kind"]], m["metadata"]["name"]) for m in manifests]
    for kind, name in objects:
        tenant.wait_reason(name, "Synced", kind)
    before = pushes(tenant)
    spent = [tenant.plane.get(kind, name, tenant.ns) for kind, name in objects]

    for flags in CLIENTS.values():
        applied = tenant.kubectl("apply", "-f", str(file), *flags)
        assert len(applied.splitlines()) == len(manifests)
        # Two kubectls of different modes differ in kubectl's own last-applied annotation only.
        diff = tenant.plane.kubectl("-n", tenant.ns, "diff", "-f", str(file), *flags, check=False)
        assert diff.returncode == 0, f"{flags}: {diff.stdout}{diff.stderr}"
    for (kind, name), was in zip(objects, spent, strict=True):
        now = tenant.plane.get(kind, name, tenant.ns)
        assert now["metadata"]["generation"] == was["metadata"]["generation"] == 1
        assert now["spec"] == was["spec"]
    tenant.synced_marker()
    assert pushes(tenant) == before + 1  # the marker's own
    figures(
        f"GitOps, created by {creator}",
        f"{len(manifests)} samples applied again by {len(CLIENTS)} clients: no diff, no push",
    )


def test_the_examples_are_valid_and_name_the_secret_that_the_tool_writes(
    control_plane: ControlPlane, namespace: str
) -> None:
    seen = 0
    for folder in ("examples", "gitops/connections"):
        by_file: dict[Path, list[dict[str, Any]]] = {}
        for path, document in documents(DEPLOY / folder):
            by_file.setdefault(path, []).append(document)
        for path, found in by_file.items():
            ours = [d for d in found if d["apiVersion"].startswith("omniconnection.io/")]
            others = [d for d in found if d not in ours]
            for manifest in ours:
                control_plane.kubectl(
                    *("-n", namespace, "apply", "--dry-run=server", "-f", "-"),
                    input=json.dumps(manifest),
                )
                seen += 1
                if folder == "examples":
                    (reference,) = manifest["spec"]["credentials"].values()
                    secret = reference["secretRef"]["name"]
                    assert any(f'"{secret}"' in json.dumps(o) for o in others), path
    assert seen == 7


def test_flux_checks_what_is_applied(control_plane: ControlPlane) -> None:
    built = control_plane.kubectl("kustomize", str(DEPLOY / "gitops/connections")).stdout
    applied = {(d["kind"], d["metadata"]["name"]) for d in yaml.safe_load_all(built)}
    flux = next(
        d
        for d in yaml.safe_load_all((DEPLOY / "gitops/flux-kustomization.yaml").read_text())
        if d["kind"] == "Kustomization"
    )["spec"]
    checked = {(c["kind"], c["name"]) for c in flux["healthChecks"]}
    assert checked == applied
    assert {c["namespace"] for c in flux["healthChecks"]} == {flux["targetNamespace"]}


def test_argo_cds_config_is_patched(control_plane: ControlPlane, namespace: str) -> None:
    """As its comment says; YAML's anchor reaches the server as a copy."""
    control_plane.kubectl("-n", namespace, "create", "configmap", "argocd-cm")
    patch = DEPLOY / "gitops/argocd-cm.yaml"
    control_plane.kubectl(
        "-n", namespace, "patch", "configmap", "argocd-cm", "--patch-file", str(patch)
    )
    data = control_plane.get("configmap", "argocd-cm", namespace)["data"]
    assert data == yaml.safe_load(patch.read_text())["data"]
