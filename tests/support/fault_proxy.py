"""A TCP proxy on loopback that fails on purpose: what a network between two hosts does to them.

TLS passes through untouched. What it holds is sealed, but not how much it is: the proxy notes the
sizes of the records of application data, so that a test whose requests differ in size can tell each
of them, and whether its answer came through whole.

    FAULT       WHAT HAPPENS
    delay       a piece of the stream, or the connect, is held back for up to DELAY_SECONDS
    reset       RST to the client, in the middle of whatever is going on
    finish      FIN to the client instead
    half        a part of the server's next bytes comes through, then FIN
    black hole  bytes are swallowed, of both sides or the server's alone, and the connection stays
                open; after BLACK_HOLE_SECONDS it ends with a FIN
    refuse      nobody listens for up to REFUSE_SECONDS: ECONNREFUSED

After a FIN the proxy goes on reading (and swallowing) until the client closes, so that it knows of
every request that a client began. What a client has abandoned is never delivered: once it closes,
all that was not yet passed on is thrown away.
"""

from __future__ import annotations

import asyncio
import random
import socket
import struct
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Callable, Coroutine, Iterator, Mapping

DELAY_SECONDS = (0.05, 2.0)
BLACK_HOLE_SECONDS = (3.0, 14.0)  # longer than most clients wait, shorter than a test does
REFUSE_SECONDS = (0.3, 2.5)
PIECE_BYTES = 64 * 1024

_APPLICATION_DATA = 23  # type of a TLS record; its header is type, version and size, 1 + 2 + 2 bytes
_HEADER_BYTES = 5


@dataclass(frozen=True)
class Faults:
    """The chance that a fault meets what a client says (`a_piece`; a connect counts as one, and can
    only be delayed), and how many a minute befall any one of the connections there are."""

    a_piece: Mapping[str, float] = field(default_factory=dict)
    a_minute: Mapping[str, float] = field(default_factory=dict)


@dataclass
class Exchange:
    """A record of application data that a client sent, and those that came back to it."""

    size: int
    time: float  # Unix, when it was read
    passed: bool = False  # given to the server
    answers: list[int] = field(default_factory=list)  # sizes, of those that came through whole


class _Records:
    """Cuts one direction of a TLS stream into records."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def feed(self, data: bytes) -> Iterator[int]:
        """The sizes of the records of application data that `data` completes."""
        self._bytes += data
        while len(self._bytes) >= _HEADER_BYTES:
            kind, _, size = struct.unpack(">BHH", self._bytes[:_HEADER_BYTES])
            if len(self._bytes) < _HEADER_BYTES + size:
                return
            del self._bytes[: _HEADER_BYTES + size]
            if kind == _APPLICATION_DATA:
                yield size


class _Link:
    """One connection of a client, and the one to the server that was made for it."""

    def __init__(
        self, proxy: FaultProxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._proxy, self._reader, self._client = proxy, reader, writer
        self._server: asyncio.StreamWriter | None = None
        self._to_server: asyncio.Queue[tuple[bytes, list[Exchange]]] = asyncio.Queue()
        self._to_client: asyncio.Queue[bytes] = asyncio.Queue()
        self._said, self._answered = _Records(), _Records()
        self._latest: Exchange | None = None  # that the server was given
        self._hold = {"up": 0.0, "down": 0.0}  # seconds, of the next piece
        self._holds_back = 0  # pieces of the client that the server was not given yet
        self._swallowed: set[str] = set()  # directions
        self._halved = self._finished = False
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self) -> None:
        self._spawn(self._hear_client)
        self._spawn(self._serve)

    def end(self) -> None:
        """Both sides are closed, and what is under way is thrown away."""
        if self._holds_back and not self._swallowed and not self._finished:
            self._proxy.counts["abandoned"] += 1
        for writer in (self._client, self._server):
            if writer is not None:
                writer.transport.abort()
        for task in self._tasks:
            task.cancel()
        self._proxy.links.pop(self, None)

    def suffer(self, fault: str) -> None:
        if self._finished or self._swallowed:
            return  # worse has happened
        self._proxy.counts[fault] += 1
        rng = self._proxy.rng
        if fault == "delay":
            self._hold[rng.choice(("up", "down"))] = rng.uniform(*DELAY_SECONDS)
        elif fault == "reset":
            self.reset()
        elif fault == "finish":
            self.finish()
        elif fault == "half":
            self._halved = True
        elif fault == "black hole":
            self._swallowed = rng.choice(({"up", "down"}, {"down"}))
            asyncio.get_running_loop().call_later(rng.uniform(*BLACK_HOLE_SECONDS), self.finish)
        else:
            raise ValueError(fault)

    def reset(self) -> None:
        self._proxy.cuts.append(time.time())
        no_linger = struct.pack("ii", 1, 0)
        connection = self._client.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, no_linger)
        self.end()

    def finish(self) -> None:
        if not self._finished and self in self._proxy.links:
            self._finished = True
            self._proxy.cuts.append(time.time())
            if self._server is not None:
                self._server.transport.abort()
            self._client.write_eof()

    def swallow(self) -> None:
        self._swallowed = {"up", "down"}

    def is_swallowed(self) -> bool:
        return bool(self._swallowed)

    def _spawn(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        async def contained() -> None:
            try:
                await work()
            except OSError:
                self.end()

        self._tasks.add(asyncio.create_task(contained()))

    async def _hear_client(self) -> None:
        while piece := await self._reader.read(PIECE_BYTES):
            exchanges = [Exchange(size, time.time()) for size in self._said.feed(piece)]
            self._proxy.exchanges += exchanges
            self._holds_back += 1
            if fault := self._proxy.draw():
                self.suffer(fault)
            self._to_server.put_nowait((piece, exchanges))
        self.end()

    async def _serve(self) -> None:
        if self._proxy.draw() == "delay":
            self._proxy.counts["delay"] += 1
            await asyncio.sleep(self._proxy.rng.uniform(*DELAY_SECONDS))
        reader, self._server = await asyncio.open_connection(*self._proxy.upstream)
        self._spawn(lambda: self._hear_server(reader))
        self._spawn(self._answer)
        while True:
            piece, exchanges = await self._to_server.get()
            await asyncio.sleep(self._take_hold("up"))
            if self._finished or "up" in self._swallowed:
                continue
            self._server.write(piece)
            self._holds_back -= 1
            for self._latest in exchanges:
                self._latest.passed = True

    async def _hear_server(self, reader: asyncio.StreamReader) -> None:
        while piece := await reader.read(PIECE_BYTES):
            self._to_client.put_nowait(piece)
        self._to_client.put_nowait(b"")

    async def _answer(self) -> None:
        while piece := await self._to_client.get():
            await asyncio.sleep(self._take_hold("down"))
            if self._finished or "down" in self._swallowed:
                continue
            if self._halved:
                piece = piece[: self._proxy.rng.randrange(len(piece))]
            self._client.write(piece)
            sizes = list(self._answered.feed(piece))
            if self._latest is not None:
                self._latest.answers += sizes
            if self._halved:
                self.finish()
        if not self._finished and not self._swallowed:
            self.finish()

    def _take_hold(self, direction: str) -> float:
        seconds, self._hold[direction] = self._hold[direction], 0.0
        return seconds


class FaultProxy:
    """Listens on a port of the kernel's choice from start() to close(), and passes all on to
    `upstream` until rage() brings the faults, and again after calm().

    `seed` fixes what is drawn; which piece of which connection it meets is up to the network.
    `counts` tells what was done, by fault, and how many requests were `abandoned` and dropped."""

    def __init__(self, upstream: tuple[str, int], seed: int) -> None:
        self.upstream = upstream
        self.rng = random.Random(seed)
        self.counts: Counter[str] = Counter()
        self.accepted = 0  # connections
        self.exchanges: list[Exchange] = []
        # When a connection was cut: what its client had sent meanwhile was never read.
        self.cuts: list[float] = []
        self.links: dict[_Link, None] = {}  # a set that keeps its order
        self._faults = Faults()
        self._silent = False
        self._weather: asyncio.Task[None] | None = None
        self._listener: asyncio.Server | None = None
        # Bound and never listened on, so that the port stays ours while nobody listens.
        self._held = self._bind(0)
        self.host = f"127.0.0.1:{self._held.getsockname()[1]}"
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def start(self) -> None:
        self._thread.start()
        self.open()

    def close(self) -> None:
        self._run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._held.close()

    def rage(self, faults: Faults) -> None:
        self._run(self._rage(faults))

    def calm(self) -> None:
        """No more faults; black holes end."""
        self._run(self._calm())

    def shut(self) -> None:
        """Cuts every connection and refuses new ones, until open(); rage() begins again then."""
        self._run(self._shut())

    def open(self) -> None:
        self._run(self._open())

    def swallow(self) -> None:
        """All present connections are black holes, for good; new ones are served."""
        self._run(self._swallow())

    def silence(self) -> None:
        """All connections are black holes, for good, new ones too."""
        self._silent = True
        self.swallow()

    def draw(self) -> str | None:
        """The fault that meets a piece of a stream."""
        chance = self.rng.random()
        for fault, odds in self._faults.a_piece.items():
            chance -= odds
            if chance < 0:
                return fault
        return None

    # On the loop

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    @staticmethod
    def _bind(port: int) -> socket.socket:
        bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(("127.0.0.1", port))
        return bound

    async def _open(self) -> None:
        if self._listener is None:
            listening = self._bind(self._held.getsockname()[1])
            self._listener = await asyncio.start_server(self._accept, sock=listening)

    def _refuse(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = _Link(self, reader, writer)
        self.links[link] = None
        self.accepted += 1
        if self._silent:
            link.swallow()
        link.begin()

    async def _rage(self, faults: Faults) -> None:
        await self._stop_weather()
        self._faults = faults
        self._weather = asyncio.create_task(self._befall(faults.a_minute))

    async def _befall(self, a_minute: Mapping[str, float]) -> None:
        while True:
            await asyncio.sleep(self.rng.expovariate(sum(a_minute.values()) / 60))
            (fault,) = self.rng.choices(list(a_minute), list(a_minute.values()))
            if fault == "refuse" and self._listener is not None:
                self.counts[fault] += 1
                self._refuse()
                await asyncio.sleep(self.rng.uniform(*REFUSE_SECONDS))
                await self._open()
            elif fault != "refuse" and self.links:
                self.rng.choice(list(self.links)).suffer(fault)

    async def _calm(self) -> None:
        self._faults = Faults()
        await self._stop_weather()
        for link in list(self.links):
            if link.is_swallowed():
                link.finish()
        await self._open()

    async def _swallow(self) -> None:
        for link in self.links:
            link.swallow()

    async def _stop_weather(self) -> None:
        if self._weather is not None:
            self._weather.cancel()
            await asyncio.wait([self._weather])
            self._weather = None

    async def _shut(self) -> None:
        await self._stop_weather()
        self._refuse()
        for link in list(self.links):
            link.reset()

    async def _close(self) -> None:
        await self._stop_weather()
        self._refuse()
        for link in list(self.links):
            link.end()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        if others:
            await asyncio.wait(others)
