"""A name server on loopback that knows no name, and is silent about some."""

from __future__ import annotations

import errno
import random
import socketserver
import threading

_HEADER_BYTES = 12
_NXDOMAIN = b"\x81\x83"  # the flags of an answer


class NameServer:
    """Swallows questions for names under .silent, and denies all others. It has port 53, which a
    resolv.conf can't change, of a loopback address of its own. Use as a context manager."""

    def __init__(self) -> None:
        self.asked: set[str] = set()
        outer = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                question, server = self.request
                answer = outer._answer(question)
                if answer:
                    server.sendto(answer, self.client_address)

        self._server = self._bind(Handler)
        self.address = self._server.server_address[0]

    def _bind(self, handler: type[socketserver.BaseRequestHandler]) -> socketserver.UDPServer:
        while True:
            address = "127." + ".".join(str(random.randrange(1, 255)) for _ in range(3))
            try:
                return socketserver.UDPServer((address, 53), handler)
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise

    def __enter__(self) -> NameServer:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, question: bytes) -> bytes:
        labels, at = [], _HEADER_BYTES
        while question[at]:
            labels.append(question[at + 1 : at + 1 + question[at]].decode())
            at += 1 + question[at]
        self.asked.add(".".join(labels).lower())
        if labels[-1] == "silent":
            return b""
        counts = question[4:6] + bytes(6)  # the question alone
        return question[:2] + _NXDOMAIN + counts + question[_HEADER_BYTES : at + 5]
