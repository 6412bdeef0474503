"""A program that is measured, as a process: the operator, or a peer that does the same work."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from control_plane import die_with_parent

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass
class Contender:
    name: str
    command: list[str]  # finds the API server by $KUBECONFIG; {host} stands for Omni's
    binary: Path
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @staticmethod
    def operator(binary: Path) -> Contender:
        flags = ["--metrics-bind-address", "0", "--health-bind-address", "0"]
        flags += ["--log-level", "warn", "--allowed-hosts", "{host}"]
        return Contender("operator", [str(binary), *flags], binary)

    @staticmethod
    def peer(command: str) -> Contender:
        words = shlex.split(command)
        return Contender("peer", words, Path(words[0]))

    def start(self, kubeconfig: Path, host: str, ca: Path, log: Path) -> None:
        """`ca` is whom to trust at Omni, for a program that goes by $SSL_CERT_FILE."""
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                [word.replace("{host}", host) for word in self.command],
                env={"PATH": os.environ["PATH"], "HOME": "/nonexistent"}
                | {"KUBECONFIG": str(kubeconfig), "SSL_CERT_FILE": str(ca)},
                stdin=subprocess.DEVNULL,
                stdout=errors,
                stderr=errors,
                preexec_fn=lambda: die_with_parent(signal.SIGKILL),
            )

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(30)

    def check_alive(self) -> None:
        assert self._process is not None
        if self._process.poll() is not None:
            raise RuntimeError(f"{self.name} ended with {self._process.returncode}")

    def resident_bytes(self) -> int:
        self.check_alive()
        status = Path(f"/proc/{self._pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
        return int(line.split()[1]) * 1024

    def cpu_seconds(self) -> float:
        self.check_alive()
        fields = Path(f"/proc/{self._pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND

    @property
    def _pid(self) -> int:
        assert self._process is not None
        return self._process.pid
