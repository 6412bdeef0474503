"""What Prometheus makes of a real scrape: metrics, dashboard and rules, after a bit of everything has
happened to the operator."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest
import yaml

from control_plane import die_with_parent, wait_until
from interface import documented_metrics
from tenant import Operator, Tenant
from test_drift import ask, change_in_omni
from test_push import password

ROOT = Path(__file__).resolve().parents[2]
OBSERVABILITY = ROOT / "deploy/observability"
SCRAPES = 3  # enough for a rate
SERIES = re.compile(r"^(\w+?)(?:\{(.*)\})? \S+$", re.MULTILINE)
SUFFIX = re.compile(r"_(bucket|sum|count)$")


@pytest.fixture(scope="module")
def prometheus_bin() -> Path:
    script = ROOT / "tests/observability/prometheus.sh"
    done = subprocess.run([str(script)], stdout=subprocess.PIPE, text=True, check=True)
    return Path(done.stdout.splitlines()[-1])


def exercise(tenant: Tenant) -> None:
    """Pushes with every result, drift, a rotation."""
    names = ("all", "rejected", "limited", "down", "cut", "forbidden")
    ids = {name: tenant.emulator.new_connection("postgres") for name in names}
    tenant.emulator.fault(ids["rejected"], "respond", status=400, body={"error": "no"})
    tenant.emulator.fault(
        ids["limited"], "respond", status=429, headers={"Retry-After": "1"}, count=1
    )
    tenant.emulator.fault(ids["down"], "respond", status=503, count=1)
    tenant.emulator.fault(ids["cut"], "drop-after-apply", count=1)
    tenant.emulator.fault(ids["forbidden"], "respond", status=403, body={"error": "no"})
    tenant.secret("db", password="a-bit-of-everything")
    attribute = {"attributeName": "env", "defaultValues": ["prod"]}
    tenant.connection(
        *("all", ids["all"]),
        **{"credentials": password("db"), "baseRole": "VIEWER"},
        environmentUserAttribute=attribute,
    )
    tenant.wait_reason("all", "Synced")
    for name in names[1:]:
        tenant.connection(name, ids[name], baseRole="VIEWER")
    for name in ("limited", "down"):
        tenant.wait_reason(name, "Synced")
    tenant.wait_reason("rejected", "Rejected")
    tenant.wait_reason("forbidden", "Forbidden")
    # An answer that is lost is made good in a minute; that it was sent is enough here.
    tenant.wait_patches(ids["cut"], 1)
    change_in_omni(tenant, ids["all"], baseRole="MODELER")
    ask(tenant, "all", "look-now")
    tenant.secret("db", password="the-next-of-everything")
    tenant.wait_patches(ids["all"], 3)
    tenant.wait_reason("all", "Synced")
    tenant.secret("wrong-token", token="omni_osk_that_nobody_knows")
    tenant.instance("refused", apiTokenSecretRef={"name": "wrong-token"})
    tenant.wait_reason("refused", "Unauthorized", "oinst")


class Prometheus:
    """Scrapes the operator each second, with the rules of deploy/."""

    def __init__(self, binaries: Path, operator: Operator, directory: Path) -> None:
        rules = yaml.safe_load((OBSERVABILITY / "rules.yaml").read_text())["spec"]
        (directory / "rules.yaml").write_text(yaml.safe_dump(rules))
        job = {
            "job_name": "operator",
            "honor_labels": True,
            "static_configs": [{"targets": [operator.metrics]}],
        }
        config = {
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s"},
            "rule_files": ["rules.yaml"],
            "scrape_configs": [job],
        }
        (directory / "prometheus.yaml").write_text(yaml.safe_dump(config))
        # Bound and never listened on: the kernel gives it to nobody else (see control_plane.py).
        self._held = socket.socket()
        self._held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._held.bind(("127.0.0.1", 0))
        self._address = f"127.0.0.1:{self._held.getsockname()[1]}"
        self._log = directory / "log"
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [str(binaries / "prometheus"), "--config.file=prometheus.yaml"]
                + [f"--web.listen-address={self._address}", f"--storage.tsdb.path={directory}/data"],
                cwd=directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=lambda: die_with_parent(9),
            )

    def get(self, path: str, **parameters: str) -> Any:
        url = f"http://{self._address}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(url, timeout=10) as answer:
            return json.load(answer)["data"]

    def query(self, expression: str) -> list[Any]:
        return self.get("query", query=expression)["result"]

    def scraped(self) -> bool:
        if self._process.poll() is not None:
            raise RuntimeError(f"prometheus ended: {self._log.read_text()[-2000:]}")
        try:
            found = self.query("count_over_time(up[1m])")
        except OSError:
            return False
        return bool(found) and int(found[0]["value"][1]) >= SCRAPES

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        self._held.close()


@pytest.fixture
def prometheus(
    prometheus_bin: Path, operator: Operator, tmp_path: Path
) -> Iterator[Prometheus]:
    server = Prometheus(prometheus_bin, operator, tmp_path)
    yield server
    server.close()


def panel_queries() -> list[tuple[str, str]]:
    """Title and expression of every query of the dashboard, for everything that is there."""
    dashboard = json.loads((OBSERVABILITY / "dashboard.json").read_text())
    variables = {"$omni_instance": ".*", "$__rate_interval": "1m"}
    found = []
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            expression = target["expr"]
            for name, value in variables.items():
                expression = expression.replace(name, value)
            found.append((panel["title"], expression))
    return found


def test_what_is_scraped(
    tenant: Tenant,
    prometheus_bin: Path,
    prometheus: Prometheus,
    figures: Callable[[str, str], None],
) -> None:
    """One test, since all of it needs the same bit of everything."""
    exercise(tenant)
    page = tenant.operator.scrape()

    done = subprocess.run(
        [str(prometheus_bin / "promtool"), "check", "metrics"],
        input=page,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")

    documented = documented_metrics()
    del documented["omni_namespace_synced"]  # only with --namespace
    exported = metrics_of(page)
    assert exported == documented

    wait_until(prometheus.scraped, 30, f"{SCRAPES} scrapes")
    queries = panel_queries()
    empty = [f"{title}: {text}" for title, text in queries if not prometheus.query(text)]
    assert not empty, "\n".join(empty)
    # What tells a refused key from an Omni that is down, in the alerts; the rest is in rules_test.yaml.
    refused = (
        "omni_circuit_breaker_open == 1"
        ' and on (omni_instance) omni_api_requests_total{code=~"401|403"} > 0'
    )
    wait_until(
        lambda: f"{tenant.ns}/refused"
        in {found["metric"]["omni_instance"] for found in prometheus.query(refused)},
        30,
        "the refused key",
    )
    # `or vector(0)` hides a misspelt name, so each name counts by itself.
    rules = [rule for g in prometheus.get("rules")["groups"] for rule in g["rules"]]
    assert [rule["name"] for rule in rules if rule["health"] == "err"] == []
    used = set()
    for text in [text for _, text in queries] + [rule["query"] for rule in rules]:
        for name in re.findall(r"\b(?:omni|workqueue|rest_client|leader|process)_\w+", text):
            used.add(name)
    labels = {label for _, names in exported.values() for label in names}
    metrics = {SUFFIX.sub("", name) for name in used - labels}
    assert metrics <= set(exported)
    shown = {SUFFIX.sub("", n) for _, text in queries for n in re.findall(r"\w+", text)}
    unseen = {"process_virtual_memory_bytes", "process_max_fds"}
    assert set(exported) - shown == unseen
    figures(
        "observability",
        f"{len(exported)} metrics, all documented; {len(queries)} queries of the dashboard, none "
        f"empty; {len(rules)} rules",
    )


def metrics_of(page: str) -> dict[str, tuple[str, frozenset[str]]]:
    """Type and labels of each metric of a scrape."""
    kinds = dict(re.findall(r"^# TYPE (\w+) (\w+)$", page, re.MULTILINE))
    labels: dict[str, set[str]] = {name: set() for name in kinds}
    for name, given in SERIES.findall(page):
        family = name if name in kinds else SUFFIX.sub("", name)
        labels[family] |= set(re.findall(r'(\w+)="', given)) - {"le"}
    return {name: (kinds[name], frozenset(labels[name])) for name in kinds}
