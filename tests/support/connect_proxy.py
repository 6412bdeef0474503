"""An HTTP proxy on loopback that only opens tunnels (CONNECT), for tests. It looks names up as the
test says, so that a server with any name can be reached through it, and only through it."""

from __future__ import annotations

import base64
import collections
import socket
import socketserver
import threading

HEAD_BYTES = 16 * 1024
IDLE_SECONDS = 600


class ConnectProxy:
    """Use as a context manager. `names` maps host names to addresses; others are refused with 502.
    `credentials` is "user:password", or empty: everybody may use it."""

    def __init__(self, names: dict[str, str], credentials: str = "") -> None:
        self.names, self.credentials = names, credentials
        # By "host:port": tunnels that were opened.
        self.tunnels: collections.Counter[str] = collections.Counter()
        self.refused = 0
        outer = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                outer._serve(self.request)

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            block_on_close = False

        self._server = Server(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self._server.server_address[1]}"

    def url(self, credentials: str | None = None) -> str:
        """With its own credentials, or with others."""
        user = self.credentials if credentials is None else credentials
        return f"http://{user}@{self.address}" if user else f"http://{self.address}"

    def __enter__(self) -> ConnectProxy:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _serve(self, client: socket.socket) -> None:
        client.settimeout(IDLE_SECONDS)
        head = b""
        while b"\r\n\r\n" not in head:
            piece = client.recv(HEAD_BYTES)
            head += piece
            if not piece or len(head) > HEAD_BYTES:
                return
        lines = head.decode("latin-1").split("\r\n")
        method, target, _ = lines[0].split(" ", 2)
        headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines[1:])}
        wanted = "Basic " + base64.b64encode(self.credentials.encode()).decode()
        if self.credentials and headers.get("proxy-authorization") != wanted:
            self._refuse(client, "407 Proxy Authentication Required")
            return
        host, _, port = target.rpartition(":")
        if method != "CONNECT" or host not in self.names:
            self._refuse(client, "502 Bad Gateway")
            return
        try:
            server = socket.create_connection((self.names[host], int(port)), timeout=10)
        except OSError:
            self._refuse(client, "502 Bad Gateway")
            return
        self.tunnels[target] += 1
        client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        with server:
            server.settimeout(IDLE_SECONDS)
            back = threading.Thread(target=_pump, args=(server, client), daemon=True)
            back.start()
            _pump(client, server)
            back.join()

    def _refuse(self, client: socket.socket, status: str) -> None:
        self.refused += 1
        client.sendall(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())


def _pump(source: socket.socket, sink: socket.socket) -> None:
    """Copies until one side ends, and then ends both, so that the other direction ends too."""
    try:
        while piece := source.recv(HEAD_BYTES):
            sink.sendall(piece)
    except OSError:
        pass
    for end in (source, sink):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
