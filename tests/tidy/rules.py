"""rules.py PROMETHEUS_DIR: deploy/observability/rules.yaml is valid, fires when it should
(tests/observability/rules_test.yaml), and each alert has a runbook. Needs promtool in that directory.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Iterator

import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))

from interface import anchors, headings  # noqa: E402

RULES = ROOT / "deploy/observability/rules.yaml"
TESTS = ROOT / "tests/observability/rules_test.yaml"
RUNBOOKS = ROOT / "docs/runbooks.md"


def alerts(spec: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {rule["alert"]: rule for group in spec["groups"] for rule in group["rules"]}


def runbook_problems(found: dict[str, dict[str, Any]]) -> Iterator[str]:
    known = anchors(RUNBOOKS)
    for name, rule in found.items():
        page, _, anchor = rule["annotations"].get("runbook_url", "").partition("#")
        if (ROOT / page) != RUNBOOKS or anchor not in known or anchor != name.lower():
            yield f"{name}: runbook_url leads to no heading {name} of {RUNBOOKS.name}"
    entries = {heading for heading in headings(RUNBOOKS) if heading.startswith("Omni")}
    for name in sorted(entries - set(found)):
        yield f"{RUNBOOKS.name}: {name} is no alert"


def untested(found: dict[str, dict[str, Any]]) -> Iterator[str]:
    cases = [c for t in yaml.safe_load(TESTS.read_text())["tests"] for c in t["alert_rule_test"]]
    for name in found:
        for fires in (True, False):
            if not any(c["alertname"] == name and bool(c.get("exp_alerts")) == fires for c in cases):
                yield f"{TESTS.name}: no case in which {name} {'fires' if fires else 'is silent'}"


def main() -> int:
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    promtool = str(Path(sys.argv[1]) / "promtool")
    spec = yaml.safe_load(RULES.read_text())["spec"]
    found = alerts(spec)
    problems = [*runbook_problems(found), *untested(found)]
    with tempfile.TemporaryDirectory() as directory:
        plain = Path(directory) / "rules.yaml"
        plain.write_text(yaml.safe_dump(spec))
        tests = shutil.copy(TESTS, directory)
        for command in (["check", "rules", str(plain)], ["test", "rules", str(tests)]):
            done = subprocess.run(
                [promtool, *command], capture_output=True, text=True, check=False
            )
            if done.returncode != 0:
                problems.append(done.stdout + done.stderr)
    print("\n".join(problems), end="\n" if problems else "")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
