"""What Omni got, by the emulator's journal, and a second client that makes it get more."""

from __future__ import annotations

import http.client
import json
import ssl
import threading
import time
from typing import Any, Sequence

from tenant import Emulator

SECOND_CLIENT_PATH = "/api/v1/whoami?by=second-client"


def connect(emulator: Emulator) -> http.client.HTTPSConnection:
    context = ssl.create_default_context(cadata=emulator.ca)
    return http.client.HTTPSConnection(emulator.host, context=context, timeout=10)


class Journal:
    """Reads the emulator's journal on, over one connection."""

    def __init__(self, emulator: Emulator) -> None:
        self._connection = connect(emulator)
        self._open: list[dict[str, Any]] = []  # not answered when they were read
        self._next = 1

    def read(self) -> list[dict[str, Any]]:
        """The requests since the last call. An entry goes on changing until it is answered."""
        since = min([e["seq"] for e in self._open], default=self._next)
        self._connection.request("GET", f"/_emulator/requests?since={since}")
        page = json.loads(self._connection.getresponse().read())
        known = {e["seq"]: e for e in self._open}
        fresh = []
        for entry in page["requests"]:
            if entry["seq"] in known:
                known[entry["seq"]].update(entry)
            elif entry["seq"] >= self._next:
                fresh.append(entry)
        self._open = [e for e in [*self._open, *fresh] if e["status"] == 0]
        self._next = page["next"]
        return fresh


class SecondClient:
    """Somebody else with the same key, who takes `per_minute` evenly, whatever the answers are."""

    def __init__(self, emulator: Emulator, key: str, per_minute: float) -> None:
        self._connection = connect(emulator)
        self._key = key
        self._interval = 60 / per_minute
        self._end = threading.Event()
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> SecondClient:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()
        if self._failure:
            raise self._failure

    def _run(self) -> None:
        try:
            due = time.monotonic()
            while not self._end.wait(max(0.0, due - time.monotonic())):
                due += self._interval
                self._connection.request(
                    "GET", SECOND_CLIENT_PATH, headers={"Authorization": f"Bearer {self._key}"}
                )
                self._connection.getresponse().read()
        except Exception as failure:  # pylint: disable=broad-except
            self._failure = failure


def times_of(entries: Sequence[dict[str, Any]]) -> list[float]:
    return sorted(e["timeUnixMs"] / 1000 for e in entries)


def is_rotation(entry: dict[str, Any]) -> bool:
    return "passwordUnencrypted" in entry["body"]


def number_of(entry: dict[str, Any]) -> int:
    return int(entry["body"]["passwordUnencrypted"].split("#")[1])
