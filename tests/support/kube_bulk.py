"""Many requests to kube-apiserver at once, over connections that stay open. kubectl takes minutes
for what a team with a thousand Secrets does to them in a moment."""

from __future__ import annotations

import http.client
import json
import ssl
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Iterable
from urllib.parse import urlsplit

from control_plane import ControlPlane

CONNECTIONS = 6
CONNECTIONS_PATH = "apis/omniconnection.io/v1alpha1/namespaces/{}/omniconnections"
SECRETS_PATH = "api/v1/namespaces/{}/secrets"

Request = tuple[str, str, Any]  # method, path without the leading slash, body


class KubeBulk:
    """Uses the administrator's kubeconfig. Requests of one call are sent side by side."""

    def __init__(self, plane: ControlPlane) -> None:
        config = json.loads(plane.kubeconfig.read_text())
        self._token = config["users"][0]["user"]["token"]
        self._address = urlsplit(plane.server).netloc
        self._context = ssl.create_default_context(cafile=str(plane.ca_file))
        self._open = threading.local()
        self._pool = ThreadPoolExecutor(CONNECTIONS)

    def send(self, requests: Iterable[Request]) -> list[Any]:
        """The answers, in the order of the requests; AssertionError if one is refused."""
        return list(self._pool.map(lambda request: self._send(*request), requests))

    def _send(self, method: str, path: str, body: Any) -> Any:
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": kind}
        text = None if body is None else json.dumps(body)
        try:
            status, answer = self._exchange(method, f"/{path}", text, headers)
        except (http.client.HTTPException, OSError):  # the server had closed it meanwhile
            self._open.connection.close()
            status, answer = self._exchange(method, f"/{path}", text, headers)
        assert status < 300, f"{method} {path}: {status}"  # the answer may hold a Secret
        return json.loads(answer)

    def _exchange(
        self, method: str, path: str, text: str | None, headers: dict[str, str]
    ) -> tuple[int, bytes]:
        if not hasattr(self._open, "connection"):
            self._open.connection = http.client.HTTPSConnection(
                self._address, context=self._context, timeout=30
            )
        self._open.connection.request(method, path, text, headers)
        answer = self._open.connection.getresponse()
        return answer.status, answer.read()

    def close(self) -> None:
        self._pool.shutdown()
