"""Exchanges with npm's ws, as a client and as a server."""

from __future__ import annotations

import asyncio
import itertools
import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from . import HERE, missing
from .exchanges import (
    LIMIT,
    REDUNDANT,
    PeerCompresses,
    PeerSendsFragments,
    PeerSendsPings,
    PeerServerSendsFragments,
    Seen,
    our_server,
)

NODE = shutil.which("node")

if NODE is None:
    missing("node isn't installed")
if not (HERE / "node_modules" / "ws").exists():
    missing("npm's ws isn't installed (python3 dev.py peers)")

numbers = itertools.count(1)

#: Options of ws for permessage-deflate.
DEFLATE: list[dict[str, Any]] = [
    {"clientNoContextTakeover": True, "serverNoContextTakeover": True},
    {"clientMaxWindowBits": 9, "serverMaxWindowBits": 10},
]


class Node:
    """A process of node, which speaks JSON, a line for each value."""

    def __init__(self, script: str, *arguments: str) -> None:
        assert NODE is not None
        self.process = subprocess.Popen(
            [NODE, HERE / script, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )

    def write(self, value: Any) -> None:
        """Hand in a value."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(value) + "\n")
        self.process.stdin.flush()

    async def read(self) -> Any:
        """Return the next value that it prints."""
        assert self.process.stdout is not None
        try:
            async with asyncio.timeout(LIMIT):
                line = await asyncio.to_thread(self.process.stdout.readline)
        except BaseException:
            # Else the thread would wait for ever, and the end of the loop for it.
            self.process.kill()
            self.process.wait()
            raise
        return json.loads(line)


@pytest.fixture(scope="module")
def start() -> Iterator[Callable[..., Node]]:
    """Start scripts of this directory with node: each once, and again when killed."""
    nodes: list[Node] = []
    current: dict[tuple[str, ...], Node] = {}

    def start(*arguments: str) -> Node:
        node = current.get(arguments)
        if node is None or node.process.poll() is not None:
            node = current[arguments] = Node(*arguments)
            nodes.append(node)
        return node

    yield start
    for node in nodes:
        node.process.kill()
        node.process.communicate()


class TestWsIsClient(PeerCompresses, PeerSendsFragments, PeerSendsPings):
    """One process does all exchanges, one after the other."""

    deflate: dict[str, Any] = {}

    @pytest.fixture(autouse=True)
    def node(self, start: Callable[..., Node]) -> None:
        self.client = start("ws_client.js")

    async def run(self, uri: str, name: str, *arguments: str) -> Any:
        self.client.write([uri, self.deflate, name, *arguments])
        return await self.client.read()

    async def test_close_from_peer_without_code(self) -> None:
        async with asyncio.timeout(LIMIT), our_server() as service:
            await self.run(service.uri, "close_from_peer")
            assert (await service.seen.get())[:2] == (1005, "")

    @pytest.mark.parametrize("deflate", DEFLATE)
    async def test_parameters_of_compression(self, deflate: dict[str, Any]) -> None:
        self.deflate = deflate
        await self.test_compressed()
        await self.test_fragments_from_peer()


class WsServer:
    """A server with ws, seen from one test."""

    def __init__(self, node: Node, origin: str) -> None:
        self.node = node
        self.url = f"/{next(numbers)}"
        self.uri = origin + self.url

    async def seen(self) -> Seen:
        # Connections of earlier tests come before.
        while (seen := await self.node.read()).pop("url") != self.url:
            pass
        return Seen(**seen)


class TestWsIsServer(PeerServerSendsFragments):
    """One process serves all tests that want the same of compression."""

    #: Where each process listens: asked for once.
    origins: dict[Node, str] = {}

    @pytest.fixture
    def deflate(self) -> dict[str, Any]:
        return {}

    @pytest.fixture
    async def peer(
        self, start: Callable[..., Node], deflate: dict[str, Any]
    ) -> WsServer:
        node = start("ws_server.js", json.dumps(deflate))
        if node not in self.origins:
            listening = await node.read()
            self.origins[node] = "ws://{address}:{port}".format(**listening)
        return WsServer(node, self.origins[node])

    @pytest.mark.parametrize("deflate", DEFLATE)
    async def test_parameters_of_compression(self, peer: WsServer) -> None:
        async with self.connect(peer) as websocket:
            for message in (REDUNDANT, REDUNDANT, "/fragments a b c", REDUNDANT):
                await websocket.send(message)
                expected = "a b c " if message.startswith("/") else message
                assert await websocket.recv() == expected
            assert 0 < websocket.size < len(REDUNDANT) / 10
