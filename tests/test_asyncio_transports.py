"""Whose transports carry connections (websockets.asyncio.transports)."""

from __future__ import annotations

import asyncio
import errno
import pathlib
import socket
import ssl
import struct
import sys
import types
from collections.abc import AsyncIterator, Iterator
from typing import Any
from unittest import mock

import pytest

from faces.support import (
    Face,
    client_tls,
    echo,
    port_of,
    server_tls,
    uri_of,
)
from websockets.asyncio import transports
from websockets.asyncio.transports import find_connector, listen_on, read_rest

METHODS = [
    f"create_{unix}{kind}"
    for unix in ("", "unix_")
    for kind in ("connection", "server")
]


class FakeLibrary:
    """aiofastnet as it is called: functions of the loop and what its methods take.

    Attributes:
        called: for each call, the name and the options.

    """

    def __init__(self) -> None:
        self.called: list[tuple[str, dict[str, Any]]] = []
        self.error: OSError | None = None

    def __getattr__(self, name: str) -> Any:
        async def function(loop: Any, *arguments: Any, **options: Any) -> Any:
            self.called.append((name, options))
            if self.error is not None:
                raise self.error
            if name == "create_unix_server" and sys.version_info < (3, 13):
                assert options.pop("cleanup_socket") is False
            return await getattr(loop, name)(*arguments, **options)

        return function


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WEBSOCKETS_TRANSPORT", raising=False)


@pytest.fixture
def missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have no aiofastnet."""
    monkeypatch.setattr(transports, "_load", lambda: None)


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> FakeLibrary:
    """Have a fake aiofastnet."""
    fake = FakeLibrary()
    monkeypatch.setattr(transports, "_load", lambda: fake)
    return fake


@pytest.fixture
def insisting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a user who insists on it."""
    monkeypatch.setenv("WEBSOCKETS_TRANSPORT", "aiofastnet")


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """Give one of asyncio's own event loops, which doesn't run."""
    made = asyncio.SelectorEventLoop()
    yield made
    made.close()


def is_better(loop: asyncio.AbstractEventLoop, name: str, **options: Any) -> bool:
    return find_connector(loop, name, options) != getattr(loop, name)


# The choice.


def test_missing(missing: None, monkeypatch: pytest.MonkeyPatch) -> None:
    for choice in ("", "auto", "asyncio"):
        monkeypatch.setenv("WEBSOCKETS_TRANSPORT", choice)
        assert transports.transports() == "asyncio"
    monkeypatch.setenv("WEBSOCKETS_TRANSPORT", "aiofastnet")
    with pytest.raises(ImportError, match="^aiofastnet isn't installed, or not for"):
        transports.transports()


def test_installed(library: FakeLibrary, monkeypatch: pytest.MonkeyPatch) -> None:
    assert transports.transports() == "aiofastnet"
    for choice in ("", "auto", "aiofastnet"):
        monkeypatch.setenv("WEBSOCKETS_TRANSPORT", choice)
        assert transports.transports() == "aiofastnet"
    monkeypatch.setenv("WEBSOCKETS_TRANSPORT", "asyncio")
    assert transports.transports() == "asyncio"


def test_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEBSOCKETS_TRANSPORT", "trio")
    with pytest.raises(ValueError, match="can be auto, asyncio, aiofastnet; .* 'trio'"):
        transports.transports()


def test_importing(monkeypatch: pytest.MonkeyPatch) -> None:
    load = transports._load.__wrapped__
    module = types.ModuleType("aiofastnet")
    monkeypatch.setitem(sys.modules, "aiofastnet", module)
    assert load() is module
    monkeypatch.setattr(sys, "platform", "win32")
    assert load() is None
    monkeypatch.undo()
    monkeypatch.setitem(sys.modules, "aiofastnet", None)
    assert load() is None


# Where it serves.


@pytest.mark.parametrize("name", METHODS)
def test_known_options(
    library: FakeLibrary, loop: asyncio.AbstractEventLoop, name: str
) -> None:
    assert is_better(loop, name)
    assert is_better(loop, name, sock=None, ssl=None)
    assert not is_better(loop, name, sock=None, new_in_python_4=True)


def test_options_that_make_a_difference(
    library: FakeLibrary, loop: asyncio.AbstractEventLoop
) -> None:
    assert not is_better(loop, "create_connection", local_addr=("127.0.0.1", 0))
    assert not is_better(loop, "create_connection", all_errors=True)


@pytest.mark.parametrize("name", METHODS)
def test_loops_of_others(library: FakeLibrary, name: str) -> None:
    class Loop(asyncio.SelectorEventLoop):
        pass

    loop = Loop()
    assert is_better(loop, name)
    # Patched.
    setattr(loop, name, lambda: None)
    assert find_connector(loop, name, {})() is None
    loop.close()
    # Overridden.
    setattr(Loop, name, lambda self: None)
    loop = Loop()
    assert not is_better(loop, name)
    loop.close()
    # Not related at all, as uvloop's.
    assert not is_better(mock.Mock(), name)


def test_no_tls(library: FakeLibrary, loop: asyncio.AbstractEventLoop) -> None:
    for name in METHODS:
        assert not is_better(loop, name, ssl=ssl.create_default_context())
        assert not is_better(loop, name, ssl=True)


def test_tls_where_the_user_insists(
    library: FakeLibrary, insisting: None, loop: asyncio.AbstractEventLoop
) -> None:
    for name in METHODS:
        assert is_better(loop, name, ssl=ssl.create_default_context())
        assert not is_better(loop, name, ssl=True)


class Context(ssl.SSLContext):
    """A TLS context that may do things in its own way."""


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ("sni_callback", lambda sock, name, context: None),
        ("keylog_filename", "keylog"),
        ("sslobject_class", type("Object", (ssl.SSLObject,), {})),
        ("_msg_callback", lambda *args: None),
    ],
)
def test_tls_that_calls_back(
    library: FakeLibrary,
    insisting: None,
    loop: asyncio.AbstractEventLoop,
    tmp_path: pathlib.Path,
    attribute: str,
    value: Any,
) -> None:
    context = server_tls()
    if attribute == "keylog_filename":
        value = str(tmp_path / value)
    setattr(context, attribute, value)
    assert not is_better(loop, "create_server", ssl=context)
    context = Context(ssl.PROTOCOL_TLS_CLIENT)
    assert not is_better(loop, "create_server", ssl=context)


# Connections.


async def test_connections(
    face: Face, library: FakeLibrary, tmp_path: pathlib.Path
) -> None:
    async with face.serve(echo, "localhost", 0) as server:
        async with face.connect(uri_of(server)) as client:
            await client.send("Hello")
            assert await client.recv() == "Hello"
        sock = socket.create_connection(("localhost", port_of(server)))
        async with face.connect(uri_of(server), sock=sock):
            pass
    path = str(tmp_path / "socket")
    async with face.unix_serve(echo, path):
        async with face.unix_connect(path):
            pass
    is_stock = type(asyncio.get_running_loop()).__module__.startswith("asyncio.")
    assert [name for name, _ in library.called] == (
        [
            "create_server",
            "create_connection",
            "create_connection",
            "create_unix_server",
            "create_unix_connection",
        ]
        if is_stock
        else []
    )


async def test_tls_connections(face: Face, library: FakeLibrary) -> None:
    async with face.serve(echo, "localhost", 0, ssl=server_tls()) as server:
        async with face.connect(uri_of(server, scheme="wss"), ssl=client_tls()):
            pass
    assert library.called == []


# Listening.


async def listen(name: str, *arguments: Any, **options: Any) -> Any:
    loop = asyncio.get_running_loop()
    server = await listen_on(loop, name, asyncio.Protocol, *arguments, **options)
    server.close()
    await server.wait_closed()
    return server


async def test_listening_fails_as_on_asyncio(library: FakeLibrary) -> None:
    """The error is the one that asyncio gives."""
    library.error = OSError("as the other one says it")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match="address already in use") as caught:
            await listen("create_server", "127.0.0.1", port)
    assert caught.value.errno == errno.EADDRINUSE
    # The port may have become free in between.
    await listen("create_server", "127.0.0.1", 0)


async def test_listening_on_a_socket_fails_once(library: FakeLibrary) -> None:
    """What it has done to a socket isn't known."""
    library.error = OSError("no")
    is_stock = type(asyncio.get_running_loop()).__module__.startswith("asyncio.")
    with socket.create_server(("127.0.0.1", 0)) as sock:
        if is_stock:
            with pytest.raises(OSError, match="^no$"):
                await listen("create_server", sock=sock)
        else:
            await listen("create_server", sock=sock)


async def test_listening_without_it(missing: None, tmp_path: pathlib.Path) -> None:
    await listen("create_server", "127.0.0.1", 0)
    await listen("create_unix_server", str(tmp_path / "socket"))


@pytest.mark.parametrize("version", [(3, 12), (3, 13)])
async def test_file_of_the_socket(
    library: FakeLibrary,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    version: tuple[int, int],
) -> None:
    """It is removed where asyncio removes it."""
    loop = asyncio.SelectorEventLoop()
    loop.close()
    create = mock.AsyncMock()
    monkeypatch.setattr(
        transports, "_load", lambda: mock.Mock(create_unix_server=create)
    )
    monkeypatch.setattr(sys, "version_info", version)
    await listen_on(loop, "create_unix_server", asyncio.Protocol, path="path")
    more = {"cleanup_socket": False} if version < (3, 13) else {}
    create.assert_awaited_once_with(
        loop, asyncio.Protocol, path="path", start_serving=False, **more
    )
    create.return_value.start_serving.assert_awaited_once_with()


async def test_listening_without_serving() -> None:
    loop = asyncio.get_running_loop()
    options: dict[str, Any] = {"host": "127.0.0.1", "port": 0, "start_serving": False}
    server = await listen_on(loop, "create_server", asyncio.Protocol, **options)
    assert not server.is_serving()
    server.close()
    await server.wait_closed()


@pytest.mark.parametrize("failure", [OSError, asyncio.CancelledError])
async def test_what_fails_to_serve_is_closed(failure: type[BaseException]) -> None:
    server = mock.Mock(start_serving=mock.AsyncMock(side_effect=failure))
    loop = mock.Mock(create_server=mock.AsyncMock(return_value=server))
    with pytest.raises(failure):
        await listen_on(loop, "create_server", asyncio.Protocol, "127.0.0.1", 0)
    server.close.assert_called_once_with()


# aiofastnet itself.


async def test_the_real_one(face: Face, monkeypatch: pytest.MonkeyPatch) -> None:
    """All tests run with it where it's installed; this one says that it serves."""
    pytest.importorskip("aiofastnet", reason="aiofastnet isn't installed")
    is_stock = type(asyncio.get_running_loop()).__module__.startswith("asyncio.")
    for choice in ("asyncio", "auto"):
        monkeypatch.setenv("WEBSOCKETS_TRANSPORT", choice)
        async with face.serve(echo, "localhost", 0) as server:
            async with face.connect(uri_of(server)) as client:
                module = type(client.transport).__module__
                serves = choice == "auto" and is_stock
                assert module.startswith("aiofastnet") == serves


async def test_tls_is_started_by_whose_transports_they_are(
    face: Face, library: FakeLibrary, insisting: None
) -> None:
    loop = asyncio.get_running_loop()
    is_stock = isinstance(loop, asyncio.SelectorEventLoop)
    async with face.serve(echo, "localhost", 0, ssl=server_tls()) as server:
        uri = uri_of(server, scheme="wss")
        async with face.connect(uri, ssl=client_tls()) as client:
            await client.send("a")
            assert await client.recv() == "a"
    names = [name for name, _ in library.called]
    expected = ["create_server", "create_connection", "start_tls"]
    assert names == (expected if is_stock else [])
    assert all("ssl" not in options for name, options in library.called[::2])


async def test_event_loops_that_start_tls_in_ways_unknown(
    face: Face, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They're given the TLS arguments, and make all of it."""
    monkeypatch.setattr(transports, "_find_tls", lambda loop, library: None)
    async with face.serve(echo, "localhost", 0, ssl=server_tls()) as server:
        uri = uri_of(server, scheme="wss")
        async with face.connect(uri, ssl=client_tls()) as client:
            await client.send("a")
            assert await client.recv() == "a"
            assert not server.securing


class StandIn:
    """Takes the place of an event loop, where one address is concerned."""

    def __init__(self) -> None:
        self.called: list[tuple[Any, ...]] = []

    def find(self, name: str, target: Any) -> Any:
        targets = [("here.example", 80), "/here", (None, None)]
        return self.make if target in targets else None

    async def make(self, *args: Any, **options: Any) -> Any:
        self.called.append(args)
        raise ConnectionRefusedError


@pytest.fixture
async def stand_in() -> AsyncIterator[StandIn]:
    """Have something take the place of the event loop."""
    loop = asyncio.get_running_loop()
    transports.stand_ins[loop] = made = StandIn()
    yield made
    del transports.stand_ins[loop]


class TestStandIns:
    async def test_connecting(
        self, face: Face, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # There's no proxy on the way to it.
        monkeypatch.setenv("http_proxy", "http://proxy.example:8080")
        with pytest.raises(ConnectionRefusedError):
            await face.connect("ws://here.example/", proxy=True)
        assert stand_in.called[0][1:] == ("here.example", 80)
        with pytest.raises(ConnectionRefusedError):
            await face.unix_connect("/here")
        assert len(stand_in.called) == 2

    async def test_serving(self, face: Face, stand_in: StandIn) -> None:
        for arguments in (), ("here.example", 80):
            with pytest.raises(ConnectionRefusedError):
                await face.serve(echo, *arguments)
        assert stand_in.called[1][1:] == ("here.example", 80)
        with pytest.raises(ConnectionRefusedError):
            await face.unix_serve(echo, "/here")
        assert len(stand_in.called) == 3

    async def test_others(self, face: Face, stand_in: StandIn) -> None:
        async with face.serve(echo, "localhost", 0) as server:
            async with face.connect(uri_of(server)):
                pass
        assert not stand_in.called

    async def test_sockets_are_what_they_are(
        self, face: Face, stand_in: StandIn
    ) -> None:
        with socket.create_server(("localhost", 0)) as sock:
            async with face.serve(echo, sock=sock):
                pass
        assert not stand_in.called


class TestReadRest:
    """What is left on lost connections."""

    @pytest.fixture
    def sockets(self) -> Iterator[list[socket.socket]]:
        """Give the ends of a connection; the second has sent, the first can't."""
        with socket.socket() as far, socket.create_server(("127.0.0.1", 0)) as server:
            far.connect(server.getsockname())
            near, _ = server.accept()
            with near:
                far.sendall(b"what is left")
                yield [near, far]

    def lose(self, far: socket.socket) -> None:
        linger = struct.pack("ii", 1, 0)
        far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        far.close()

    def read(self, sock: Any, context: Any = None) -> bytes:
        info = {"socket": sock, "sslcontext": context}
        return read_rest(mock.Mock(get_extra_info=info.get))

    def test_it_is_read_once(self, sockets: list[socket.socket]) -> None:
        near, far = sockets
        self.lose(far)
        assert self.read(near) == b"what is left"
        assert self.read(near) == b""
        # It is as open as it was.
        assert near.fileno() != -1
        near.getsockname()

    @pytest.mark.parametrize("action", ["stays", "closes", "shuts down"])
    def test_connections_that_live(
        self, sockets: list[socket.socket], action: str
    ) -> None:
        """The number of a socket that was closed may be that of another one."""
        near, far = sockets
        if action == "closes":
            far.close()
        elif action == "shuts down":
            far.shutdown(socket.SHUT_WR)
        assert self.read(near) == b""
        assert near.recv(100) == b"what is left"

    def test_what_is_encrypted(self, sockets: list[socket.socket]) -> None:
        near, far = sockets
        self.lose(far)
        assert self.read(near, ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)) == b""

    def test_a_socket_that_is_closed(self, sockets: list[socket.socket]) -> None:
        near, far = sockets
        near.close()
        assert self.read(near) == b""

    def test_no_socket(self) -> None:
        assert self.read(None) == b""

    def test_no_more_than_so_much(
        self, sockets: list[socket.socket], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(transports, "_REST", 2**19)
        near, far = sockets
        near.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**22)
        far.settimeout(10)
        far.sendall(bytes(2**20))
        self.lose(far)
        assert len(self.read(near)) == 2**19

    def test_what_tests_take_for_a_transport(self) -> None:
        assert read_rest(mock.Mock()) == b""
        assert self.read(mock.Mock()) == b""

    def test_windows(
        self, sockets: list[socket.socket], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        near, far = sockets
        self.lose(far)
        monkeypatch.setattr(transports.sys, "platform", "win32")
        assert self.read(near) == b""
