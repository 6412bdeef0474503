"""deploy/kustomize and deploy/helm render to the same objects, and a real API server takes them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from conftest import CHART, NAMESPACE, ROOT, Helm
from control_plane import ControlPlane
from installation import CRDS, OVERLAYS, kustomize

# Labels that only Helm sets.
HELMS_LABELS = ("helm.sh/chart", "app.kubernetes.io/managed-by", "app.kubernetes.io/version")
# Each overlay, and the values that say the same.
SAME = {"cluster-wide": {}, "namespaced": {"namespaces": ["analytics"]}}
MONITORS = {
    "service-monitor": {"metrics": {"serviceMonitor": {"enabled": True}}},
    "pod-monitor": {"metrics": {"podMonitor": {"enabled": True}}},
}
# As much of their CRDs as it takes for the API server to know the kinds.
MONITOR_CRDS = [
    {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.monitoring.coreos.com"},
        "spec": {
            "group": "monitoring.coreos.com",
            "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {
                        "openAPIV3Schema": {
                            "type": "object",
                            "x-kubernetes-preserve-unknown-fields": True,
                        }
                    },
                }
            ],
        },
    }
    for kind, plural in (("ServiceMonitor", "servicemonitors"), ("PodMonitor", "podmonitors"))
]


def by_identity(objects: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """With the differences taken out that have to be: Helm's labels; its test; the Namespace, which
    Helm makes itself (--create-namespace)."""
    out = {}
    for item in objects:
        metadata = item["metadata"]
        if item["kind"] == "Namespace" or "helm.sh/hook" in metadata.get("annotations", {}):
            continue
        for label in HELMS_LABELS:
            metadata.get("labels", {}).pop(label, None)
        out[f"{item['kind']} {metadata.get('namespace', '')}/{metadata['name']}"] = item
    return out


def deployment(objects: list[dict[str, Any]]) -> dict[str, Any]:
    (found,) = [item for item in objects if item["kind"] == "Deployment"]
    return found


def container(objects: list[dict[str, Any]]) -> dict[str, Any]:
    return deployment(objects)["spec"]["template"]["spec"]["containers"][0]


@pytest.mark.parametrize("overlay", SAME)
def test_kustomize_and_helm_render_to_the_same(
    control_plane: ControlPlane, helm: Helm, overlay: str
) -> None:
    ours = by_identity(kustomize(control_plane, OVERLAYS / overlay))
    charts = by_identity(helm.objects(SAME[overlay]))
    assert len(ours) >= 11
    assert ours == charts


@pytest.mark.parametrize("component", MONITORS)
def test_the_monitors_are_the_same(
    control_plane: ControlPlane, helm: Helm, tmp_path: Path, component: str
) -> None:
    monitor = OVERLAYS.parent / "components" / component / "monitor.yaml"
    (ours,) = by_identity([yaml.safe_load(monitor.read_text())]).items()
    charts = by_identity(helm.objects(MONITORS[component]))
    assert charts[ours[0]] == ours[1]
    control_plane.apply(MONITOR_CRDS)
    names = [f"crd/{crd['metadata']['name']}" for crd in MONITOR_CRDS]
    control_plane.kubectl("wait", "--for=condition=Established", "--timeout=30s", *names)
    # As the overlays say how to: the component beside an overlay.
    text = (OVERLAYS / "cluster-wide" / "kustomization.yaml").read_text()
    assert f"# - ../../components/{component}\n" in text
    text = text.replace("# components:", "components:").replace(
        f"# - ../../components/{component}", f"- ../../components/{component}"
    )
    tenant = tmp_path / "kustomize"
    _copy(OVERLAYS.parent, tenant)
    (tenant / "overlays" / "cluster-wide" / "kustomization.yaml").write_text(text)
    dry_run(control_plane, "--kustomize", str(tenant / "overlays" / "cluster-wide"))


def _copy(source: Path, target: Path) -> None:
    for path in source.rglob("*.yaml"):
        (target / path.relative_to(source)).parent.mkdir(parents=True, exist_ok=True)
        (target / path.relative_to(source)).write_bytes(path.read_bytes())


def dry_run(plane: ControlPlane, *what: str, given: str | None = None) -> str:
    """Has the API server take it all, but keep nothing. A warning is as bad as an error: that is
    how Pod Security tells of a Deployment's template, and the API server of unknown fields."""
    done = plane.kubectl(
        *("apply", "--server-side", "--dry-run=server", "--validate=strict", *what), input=given
    )
    assert "Warning" not in done.stderr, done.stderr
    return done.stdout


@pytest.fixture(scope="module", name="warned")
def fixture_warned(control_plane: ControlPlane) -> None:
    """Pod Security refuses Pods, and only warns of what would make them: so let it warn."""
    control_plane.kubectl(
        *("label", "namespace", NAMESPACE, "pod-security.kubernetes.io/warn=restricted")
    )


@pytest.mark.parametrize("overlay", SAME)
def test_the_api_server_takes_what_kustomize_renders(
    control_plane: ControlPlane, warned: None, overlay: str
) -> None:
    said = dry_run(control_plane, "--kustomize", str(OVERLAYS / overlay))
    assert len(said.splitlines()) == len(kustomize(control_plane, OVERLAYS / overlay))


def test_pod_security_is_asked(control_plane: ControlPlane, warned: None, helm: Helm) -> None:
    """That the other tests would see a Pod that is not restricted."""
    text = helm.text({"securityContext": {"capabilities": None}})
    with pytest.raises(AssertionError, match="unrestricted capabilities"):
        dry_run(control_plane, "--filename", "-", given=text)


# What is rendered only with some values. Each is one set.
VALUES: dict[str, dict[str, Any]] = {
    "default": {},
    "namespaces": {"namespaces": ["analytics", NAMESPACE]},
    "one replica": {"replicaCount": 1, "leaderElection": {"enabled": False}},
    "no metrics": {"metrics": {"enabled": False}},
    "no rights": {"rbac": {"create": False}, "serviceAccount": {"create": False, "name": "other"}},
    "bare": {
        "networkPolicy": {"enabled": False},
        "podDisruptionBudget": {"enabled": False},
        "topologySpreadConstraints": [],
    },
    "all of it": {
        "allowedHosts": ["example.omniapp.co", "omni.example.com:8443"],
        "image": {"digest": "sha256:" + "0" * 64},
        "imagePullSecrets": [{"name": "registry"}],
        "leaderElection": {"id": "another"},
        "logLevel": "debug",
        "logFormat": "text",
        "dryRun": True,
        "insecureAllowHTTP": True,
        "extraEnv": [
            {"name": "HTTPS_PROXY", "valueFrom": {"secretKeyRef": {"name": "proxy", "key": "url"}}}
        ],
        "serviceAccount": {"annotations": {"a": "b"}},
        "networkPolicy": {
            "metrics": {"from": [{"namespaceSelector": {"matchLabels": {"a": "b"}}}]},
            "dns": {"to": [{"ipBlock": {"cidr": "10.0.0.10/32"}}]},
            "apiServer": {"ports": [6443], "to": [{"ipBlock": {"cidr": "10.0.0.1/32"}}]},
            "omni": {"to": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8"]}}]},
            "extraEgress": [{"ports": [{"port": 3128}]}],
        },
        "podAnnotations": {"a": "b"},
        "podLabels": {"a": "b"},
        "priorityClassName": "system-cluster-critical",
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "tolerations": [{"key": "a", "operator": "Exists"}],
        "affinity": {"nodeAffinity": {}},
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": "kubernetes.io/hostname",
                "whenUnsatisfiable": "DoNotSchedule",
            }
        ],
        "fullnameOverride": "x" * 60,
    },
}


@pytest.mark.parametrize("name", VALUES)
def test_the_api_server_takes_what_helm_renders(
    control_plane: ControlPlane, warned: None, helm: Helm, name: str
) -> None:
    text = helm.text(VALUES[name])
    said = dry_run(control_plane, "--filename", "-", given=text)
    assert len(said.splitlines()) == len([o for o in yaml.safe_load_all(text) if o])


def test_every_value_is_in_the_schema(helm: Helm) -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())

    def compare(values: dict[str, Any], part: dict[str, Any], path: str) -> None:
        known = part.get("properties")
        if known is None:
            return
        assert set(values) == set(known) - {"global"}, path
        for key, value in values.items():
            if isinstance(value, dict):
                compare(value, known[key], f"{path}.{key}")

    compare(yaml.safe_load((CHART / "values.yaml").read_text()), schema, "")


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"allowedHosts": []}, "minItems"),
        ({"allowedHosts": ["https://example.omniapp.co"]}, "pattern"),
        ({"allowedHosts": ["*"]}, "pattern"),
        ({"allowedHosts": ["a.example,b.example"]}, "pattern"),
        ({"alowedHosts": ["a.example"]}, "alowedHosts"),
        ({"logLevel": "verbose"}, "logLevel"),
        ({"leaderElection": {"enabled": False}}, "replicaCount: 1"),
        (
            {"metrics": {"serviceMonitor": {"enabled": True}, "podMonitor": {"enabled": True}}},
            "scraped twice",
        ),
        ({"metrics": {"enabled": False, "podMonitor": {"enabled": True}}}, "needs metrics.enabled"),
        (
            {
                "extraEnv": [
                    {"name": "HTTPS_PROXY", "value": "http://proxy"},
                    {"name": "NO_PROXY", "valueFrom": {"fieldRef": {"fieldPath": "status.hostIP"}}},
                ]
            },
            "NO_PROXY needs a value",
        ),
    ],
)
def test_values_that_cannot_be_meant_are_refused(
    helm: Helm, values: dict[str, Any], says: str
) -> None:
    assert says in helm.refusal(values)


API_SERVER = "$(KUBERNETES_SERVICE_HOST)"
PROXY = {"name": "HTTPS_PROXY", "value": "http://user:pw@proxy.example.com:3128"}


@pytest.mark.parametrize(
    ("given", "env"),
    [
        ([], None),
        ([{"name": "NO_PROXY", "value": "a"}], [{"name": "NO_PROXY", "value": "a"}]),
        ([PROXY], [PROXY, {"name": "NO_PROXY", "value": API_SERVER}]),
        (
            [{"name": "NO_PROXY", "value": "a,b"}, PROXY],
            [{"name": "NO_PROXY", "value": f"a,b,{API_SERVER}"}, PROXY],
        ),
        (
            [{"name": "https_proxy", "value": "p"}, {"name": "no_proxy", "value": "a"}],
            [{"name": "https_proxy", "value": "p"}, {"name": "no_proxy", "value": f"a,{API_SERVER}"}],
        ),
        # Upper case wins in the operator, so that is the one.
        (
            [{"name": "no_proxy", "value": "b"}, {"name": "NO_PROXY", "value": "a"}, PROXY],
            [
                {"name": "no_proxy", "value": "b"},
                {"name": "NO_PROXY", "value": f"a,{API_SERVER}"},
                PROXY,
            ],
        ),
    ],
)
def test_the_api_server_is_reached_past_a_proxy(
    helm: Helm, given: list[dict[str, Any]], env: list[dict[str, Any]] | None
) -> None:
    assert container(helm.objects({"extraEnv": given})).get("env") == env


def test_the_network_policy_has_the_ports_of_the_hosts_and_the_proxy(helm: Helm) -> None:
    values = {"allowedHosts": ["a.example", "b.example:8443", "c.example:443"], "extraEnv": [PROXY]}
    (policy,) = [o for o in helm.objects(values) if o["kind"] == "NetworkPolicy"]
    assert [p["port"] for p in policy["spec"]["egress"][2]["ports"]] == [443, 8443, 3128]


def test_the_arguments(helm: Helm) -> None:
    objects = helm.objects(VALUES["all of it"] | {"namespaces": ["analytics", "sales"]})
    assert container(objects)["args"] == [
        "--allowed-hosts=example.omniapp.co,omni.example.com:8443",
        "--leader-elect=true",
        "--leader-election-id=another",
        "--metrics-bind-address=:8080",
        "--health-bind-address=:8081",
        "--log-level=debug",
        "--log-format=text",
        "--namespace=analytics",
        "--namespace=sales",
        "--dry-run",
        "--insecure-allow-http",
    ]
    assert "--metrics-bind-address=0" in container(helm.objects(VALUES["no metrics"]))["args"]
    (role,) = [o for o in objects if o["kind"] == "Role" and o["metadata"]["namespace"] == NAMESPACE]
    assert ["another"] in [rule.get("resourceNames") for rule in role["rules"]]


def test_the_chart_has_the_crds_and_the_version(helm: Helm) -> None:
    ours, charts = ({f.name: f.read_bytes() for f in d.iterdir()} for d in (CRDS, CHART / "crds"))
    assert ours == charts  # by bytes: cp crds/*.yaml deploy/helm/omni-connection-operator/crds/
    kinds = [o["kind"] for o in helm.objects({}, "--include-crds")]
    assert kinds.count("CustomResourceDefinition") == len(ours) == 2
    built = re.search(
        r"^project\(\S+ VERSION (\S+)", (ROOT / "CMakeLists.txt").read_text(), re.MULTILINE
    )
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert built and chart["appVersion"] == chart["version"] == built[1]


def test_helm_installs_and_upgrades(control_plane: ControlPlane, helm: Helm) -> None:
    """Also that what it makes may be changed: not everything in a Deployment or a Role may be."""
    where = (
        *("omni", str(CHART), "--namespace=by-helm"),
        f"--kubeconfig={control_plane.kubeconfig}",
    )
    helm.run("install", *where, "--create-namespace", "--wait=hookOnly")
    said = helm.run("upgrade", *where, "--wait=hookOnly", values={"namespaces": ["analytics"]})
    assert "watches analytics\nand may send credentials to example.omniapp.co." in said.stdout
    name = "omni-omni-connection-operator"
    role = control_plane.get("role", f"{name}-watched", "analytics")
    assert role["rules"]
    args = control_plane.get("deployment", name, "by-helm")["spec"]["template"]["spec"]
    assert "--namespace=analytics" in args["containers"][0]["args"]
    gone = control_plane.kubectl("get", "clusterrole", name, check=False)
    assert "NotFound" in gone.stderr
