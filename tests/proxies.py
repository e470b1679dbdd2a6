"""Proxies that tests talk to: they pass on what comes, or say what they're told."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from typing import Any

from faces.support import Raw
from websockets.datastructures import Headers


class FakeProxy:
    """What all of them have.

    Args:
        target: where to connect instead of where the client wants to go, which
            may be a name that nobody knows.

    Attributes:
        port: the port it listens on.
        asked: where clients wanted to go.
        ended: how many of their connections have come to an end.

    """

    def __init__(self, target: int | None = None) -> None:
        self.target = target
        self.port = 0
        self.asked: list[Any] = []
        self.ended = 0
        self.tasks: set[asyncio.Task[Any]] = set()

    async def serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.tasks.add(task)
        raw = Raw(reader, writer)
        try:
            with contextlib.suppress(ConnectionError, EOFError, ssl.SSLError):
                await self.talk(raw)
        finally:
            self.ended += 1
            await raw.close()

    async def talk(self, raw: Raw) -> None:
        """Serve a client."""
        raise NotImplementedError

    async def pass_on(self, raw: Raw, host: str, port: int, answer: bytes) -> None:
        """Connect a client with where it wants to go."""
        if self.target is not None:
            host, port = "localhost", self.target
        other = Raw(*await asyncio.open_connection(host, port))
        try:
            raw.write(answer)
            async with asyncio.TaskGroup() as group:
                group.create_task(_copy(raw, other))
                group.create_task(_copy(other, raw))
        finally:
            await other.close()


async def _copy(source: Raw, destination: Raw) -> None:
    with contextlib.suppress(ConnectionError, ssl.SSLError):
        while data := await source.reader.read(65536):
            destination.write(data)
            await destination.writer.drain()
    destination.writer.close()


class HTTPProxy(FakeProxy):
    """An HTTP proxy; ``asked`` has the first line and the headers of requests.

    Args:
        answers: what to say instead of opening a tunnel, one for each request; None
            to open it. The last one counts for all that follow.
        hang_up: whether to close the connection after such an answer.

    """

    def __init__(
        self,
        *answers: bytes | None,
        hang_up: bool = False,
        target: int | None = None,
    ) -> None:
        super().__init__(target)
        self.answers = list(answers or [None])
        self.hang_up = hang_up

    async def talk(self, raw: Raw) -> None:
        first, headers = await raw.read_head()
        self.asked.append((first, headers))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if answer is None:
            host, _, port = first.split()[1].rpartition(":")
            established = b"HTTP/1.1 200 Connection established\r\n\r\n"
            await self.pass_on(raw, host.strip("[]"), int(port), established)
            return
        raw.write(answer)
        if not self.hang_up:
            await raw.read_all()

    @property
    def targets(self) -> list[str]:
        """Where clients wanted to go."""
        return [first for first, _ in self.asked]

    @property
    def headers(self) -> Headers:
        """The headers of the only request."""
        [(_, headers)] = self.asked
        return headers  # type: ignore[no-any-return]


class SOCKSProxy(FakeProxy):
    """A SOCKS proxy, versions 4, 4a and 5; ``asked`` has what was asked for.

    That is the version, the host, the port and the credentials.

    Args:
        refusal: the code to refuse with; 0 to connect.
        credentials: what version 5 must send.

    """

    def __init__(
        self,
        target: int | None = None,
        refusal: int = 0,
        credentials: tuple[bytes, bytes] | None = None,
    ) -> None:
        super().__init__(target)
        self.refusal = refusal
        self.credentials = credentials

    async def talk(self, raw: Raw) -> None:
        [version] = await raw.reader.readexactly(1)
        await (self.version_4 if version == 4 else self.version_5)(raw)

    async def version_4(self, raw: Raw) -> None:
        data = await raw.reader.readexactly(7)
        port = int.from_bytes(data[1:3], "big")
        user = (await raw.reader.readuntil(b"\0"))[:-1]
        host = ".".join(map(str, data[3:]))
        if host.startswith("0.0.0."):
            host = (await raw.reader.readuntil(b"\0"))[:-1].decode()
        self.asked.append((4, host, port, user))
        if self.refusal:
            raw.write(bytes([0, self.refusal, 0, 0, 0, 0, 0, 0]))
        else:
            await self.pass_on(raw, host, port, b"\0\x5a\0\0\0\0\0\0")

    async def version_5(self, raw: Raw) -> None:
        [number] = await raw.reader.readexactly(1)
        methods = await raw.reader.readexactly(number)
        method = 0 if self.credentials is None else 2
        if method not in methods:
            raw.write(b"\5\xff")
            return
        raw.write(bytes([5, method]))
        credentials = await self.authenticate(raw) if method else None
        if credentials != self.credentials:
            return
        data = await raw.reader.readexactly(4)
        host = await self.read_host(raw, data[3])
        port = int.from_bytes(await raw.reader.readexactly(2), "big")
        self.asked.append((5, host, port, credentials))
        answer = bytes([5, self.refusal, 0, 1, 0, 0, 0, 0, 0, 0])
        if self.refusal:
            raw.write(answer)
        else:
            await self.pass_on(raw, host, port, answer)

    async def authenticate(self, raw: Raw) -> tuple[bytes, bytes]:
        await raw.reader.readexactly(1)
        parts = []
        for _ in range(2):
            [size] = await raw.reader.readexactly(1)
            parts.append(await raw.reader.readexactly(size))
        user, password = parts
        good = (user, password) == self.credentials
        raw.write(bytes([1, 0 if good else 1]))
        return user, password

    async def read_host(self, raw: Raw, kind: int) -> str:
        if kind == 3:
            [size] = await raw.reader.readexactly(1)
            return (await raw.reader.readexactly(size)).decode()
        assert kind == 1
        return ".".join(map(str, await raw.reader.readexactly(4)))


@contextlib.asynccontextmanager
async def running(proxy: Any, tls: ssl.SSLContext | None = None) -> AsyncIterator[Any]:
    """Run a proxy, and end all its connections at the end."""
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0, ssl=tls)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    except BaseException:
        for task in proxy.tasks:
            task.cancel()
        raise
    finally:
        server.close()
        await asyncio.gather(*proxy.tasks, return_exceptions=True)
        await server.wait_closed()
