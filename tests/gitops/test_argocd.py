"""Argo CD's view: the Lua of deploy/gitops/argocd-cm.yaml, run as Argo CD runs it, over every status.

Argo CD has a Lua 5.1 with the base, table and string libraries and os.time and os.date.
"""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from interface import reasons

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / "deploy/gitops/argocd-cm.yaml"
GROUP = "omniconnection.io"
SANDBOX = """
local allowed = {assert = assert, error = error, ipairs = ipairs, next = next, pairs = pairs,
  pcall = pcall, select = select, tonumber = tonumber, tostring = tostring, type = type,
  unpack = unpack, string = string, table = table, os = {time = os.time, date = os.date}}
function json(value)
  if type(value) == "table" then
    local parts = {}
    for key, item in pairs(value) do
      parts[#parts + 1] = json(tostring(key)) .. ":" .. json(item)
    end
    return "{" .. table.concat(parts, ",") .. "}"
  elseif type(value) == "string" then
    return '"' .. value:gsub('[%c"\\\\]', function(c) return ("\\\\u%04x"):format(c:byte()) end) .. '"'
  end
  return tostring(value)
end
for _, object in ipairs(objects) do
  allowed.obj = object
  local script = assert(loadstring(source))
  setfenv(script, allowed)
  io.write(json(script()), "\\n")
end
"""


def lua(value: Any) -> str:
    """A Lua expression for what JSON can say."""
    if isinstance(value, dict):
        return "{" + ",".join(f"[{lua(k)}]={lua(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "{" + ",".join(map(lua, value)) + "}"
    if isinstance(value, str):
        return '"' + "".join(f"\\{byte:03d}" for byte in value.encode()) + '"'
    if value is None:
        return "nil"
    return str(value).lower() if isinstance(value, bool) else str(value)



def run(source: str, objects: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the script returns for each object."""
    program = f"local source, objects = {lua(source)}, {lua(objects)}\n{SANDBOX}"
    done = subprocess.run(
        ["lua5.1", "-"], input=program, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def config() -> dict[str, str]:
    return yaml.safe_load(CONFIG.read_text())["data"]


@pytest.fixture(scope="module")
def actions(config: dict[str, str]) -> dict[str, Any]:
    return yaml.safe_load(config[f"resource.customizations.actions.{GROUP}_OmniConnection"])


def test_every_reason_has_a_sample_and_a_verdict(
    samples: list[dict[str, Any]], verdicts: dict[str, Any]
) -> None:
    assert {s["name"] for s in samples} == set(verdicts)
    conditions = (s["object"]["status"].get("conditions", []) for s in samples)
    assert {c["reason"] for found in conditions for c in found} == reasons()


@pytest.mark.parametrize("kind", ["OmniConnection", "OmniInstance"])
def test_health(
    config: dict[str, str], samples: list[dict[str, Any]], verdicts: dict[str, Any], kind: str
) -> None:
    of_kind = [s for s in samples if s["object"]["kind"] == kind]
    health = run(
        config[f"resource.customizations.health.{GROUP}_{kind}"], [s["object"] for s in of_kind]
    )
    found = {s["name"]: h["status"] for s, h in zip(of_kind, health, strict=True)}
    assert found == {name: argocd for name, (_, argocd) in verdicts.items()}
    for sample, verdict in zip(of_kind, health, strict=True):
        for condition in sample["object"]["status"].get("conditions", []):
            if verdict["status"] != "Progressing":
                assert condition["reason"] in verdict["message"]


def test_an_object_without_a_status_is_progressing(config: dict[str, str]) -> None:
    objects = [{"metadata": {"generation": 1}}, {"metadata": {"generation": 1}, "status": {}}]
    health = run(config[f"resource.customizations.health.{GROUP}_OmniConnection"], objects)
    assert [h["status"] for h in health] == ["Progressing", "Progressing"]


def test_actions_are_offered_unless_suspended(actions: dict[str, Any]) -> None:
    names = {definition["name"] for definition in actions["definitions"]}
    active, suspended = run(actions["discovery.lua"], [{"spec": {}}, {"spec": {"suspend": True}}])
    assert set(active) == set(suspended) == names == {"reconcile-now", "force-push"}
    assert not any(action["disabled"] for action in active.values())
    assert all(action["disabled"] for action in suspended.values())


@pytest.mark.parametrize(
    "action, annotation", [("reconcile-now", "requestedAt"), ("force-push", "forceAt")]
)
def test_an_action_sets_one_annotation(
    actions: dict[str, Any], action: str, annotation: str
) -> None:
    (script,) = [d["action.lua"] for d in actions["definitions"] if d["name"] == action]
    before = {"name": "sales", "annotations": {"team": "data"}}
    objects = [{"metadata": before, "spec": {"baseRole": "VIEWER"}}, {"metadata": {"name": "x"}}]
    kept, bare = run(script, objects)
    token = kept["metadata"]["annotations"].pop(f"reconcile.omniconnection.io/{annotation}")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", token)
    assert kept == objects[0]  # nothing else changed
    assert set(bare["metadata"]["annotations"]) == {f"reconcile.omniconnection.io/{annotation}"}
