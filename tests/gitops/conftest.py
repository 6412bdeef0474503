"""Objects in each state that the operator writes, and what each GitOps tool is to make of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "tests" / "support"))

KINDS = ("OmniConnection", "OmniInstance")


def _as_created(kind: str) -> dict[str, Any]:
    """An object that the operator has not seen yet: its status is the CRD's default."""
    crd = yaml.safe_load((ROOT / f"crds/{kind.lower()}s.yaml").read_text())
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return {
        "apiVersion": "omniconnection.io/v1alpha1",
        "kind": kind,
        "metadata": {"name": "sales", "namespace": "analytics", "generation": 1},
        "spec": {},
        "status": schema["properties"]["status"]["default"],
    }


@pytest.fixture(scope="session")
def samples() -> list[dict[str, Any]]:
    """[{name, object}]: what status_samples prints, and objects as they are created."""
    default = ROOT / "build/release/bin/status_samples"
    program = Path(os.environ.get("STATUS_SAMPLES", default))
    printed = subprocess.run([str(program)], capture_output=True, text=True, check=True).stdout
    unseen = [{"name": "unseen", "object": _as_created(kind)} for kind in KINDS]
    return json.loads(printed) + unseen


@pytest.fixture(scope="session")
def verdicts() -> dict[str, tuple[str, str]]:
    """By the sample's name: kstatus's, and Argo CD's."""
    return {k: tuple(v) for k, v in json.loads((HERE / "verdicts.json").read_text()).items()}
