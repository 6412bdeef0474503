"""A cluster that renews its CA under a running operator."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from control_plane import ControlPlane, wait_until
from installation import install_crds, operator_kubeconfig
from tenant import Emulator, Operator, Tenant


@pytest.mark.long
def test_a_new_ca_is_trusted_once_its_file_says_so(
    control_plane_bin: Path, operator_bin: Path, emulator: Emulator, tmp_path: Path
) -> None:
    authority = tmp_path / "ca.crt"
    log = tmp_path / "log"
    with ControlPlane(control_plane_bin) as plane:
        install_crds(plane)
        config = json.loads(operator_kubeconfig(plane).read_text())
        config["clusters"][0]["cluster"] = {
            "server": plane.server,
            "certificate-authority": authority.name,  # beside the kubeconfig
        }
        authority.write_bytes(plane.ca_file.read_bytes())
        (tmp_path / "config").write_text(json.dumps(config))
        flags = ["--allowed-hosts", emulator.host, "--leader-elect=false"]
        operator = Operator(operator_bin, plane, log, *flags, kubeconfig=tmp_path / "config")
        operator.start()
        try:
            tenant = Tenant(plane, emulator, operator)
            tenant.wait_reason("omni", "Synced", "oinst")

            plane.stop_apiserver()
            plane.renew_certificates()
            plane.start_apiserver()
            wait_until(lambda: "is not trusted" in log.read_text(), 20, "it distrusts the server")
            authority.write_bytes(plane.ca_file.read_bytes())
            # Sooner than the minute after which files are read again anyway.
            tenant.synced_marker()
        finally:
            operator.close()
