"""Exceptions in every hook, async and not, in subclasses, extensions and logging."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from typing import Any

from scene import HOST, Scene, fault

from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.extensions.base import ClientExtensionFactory, ServerExtensionFactory
from websockets.extensions.base import Extension as BaseExtension
from websockets.extensions.permessage_deflate import (
    ClientPerMessageDeflateFactory,
    ServerPerMessageDeflateFactory,
)
from websockets.typing import ExtensionName


class Broken(Exception):
    """What hooks raise."""


#: What hooks may raise.
ERRORS: list[type[Exception]] = [Broken, MemoryError, StopIteration, TimeoutError]


def raising(error: type[Exception], is_async: bool) -> Callable[..., Any]:
    """Return a hook that raises, async or not."""

    def hook(*args: Any, **kwargs: Any) -> Any:
        raise error("from a hook")

    async def async_hook(*args: Any, **kwargs: Any) -> Any:
        await asyncio.sleep(0)
        raise error("from a hook")

    return async_hook if is_async else hook


async def echo(connection: Any) -> None:
    """Send back what comes."""
    async for message in connection:
        await connection.send(message)


async def visit(scene: Scene, port: int, user: str = "", **kwargs: Any) -> None:
    """Connect and exchange a message."""
    async with scene.open(port, user + HOST, **kwargs) as connection:
        await connection.send("hello " * 20)
        await connection.recv()


async def fails(scene: Scene, port: int, name: str, **kwargs: Any) -> None:
    """Connect, which must fail in time, and in a way that callers know."""
    scene.injected += 1
    try:
        async with asyncio.timeout(10) as patience:
            kwargs.setdefault("subprotocols", ["chat"])
            await visit(scene, port, user="user:password@", **kwargs)
        scene.problems.append(f"{name} has raised, and nobody noticed")
    except (InvalidHandshake, ConnectionClosed, OSError, RuntimeError, *ERRORS) as exc:
        # Coroutines turn StopIteration into RuntimeError.
        scene.check(not patience.expired(), f"{name} has raised, and all wait")
        if isinstance(exc, InvalidStatus):
            status = exc.response.status_code
            scene.check(status == 500, f"{name}: HTTP status {status}")


def server_hooks(scene: Scene, error: type[Exception]) -> list[tuple[str, Any]]:
    """Return arguments of serve() that have a hook fail."""
    cases: list[tuple[str, Any]] = []
    for is_async in (False, True):
        hook = raising(error, is_async)
        cases.append(("process_request", {"process_request": hook}))
        cases.append(("process_response", {"process_response": hook}))
    hook = raising(error, False)
    subprotocols = {"select_subprotocol": hook, "subprotocols": ["chat"]}
    cases.append(("select_subprotocol", subprotocols))
    cases.append(("extensions", {"extensions": [_BrokenFactory(error)]}))
    making = "create_connection" if scene.face == "modern" else "create_protocol"
    cases.append((making, {making: hook}))
    if scene.face == "classic":
        cases.append(("extra_headers", {"extra_headers": hook}))
    if scene.face == "modern":
        for is_async in (False, True):
            basic = scene.server_module.basic_auth(
                check_credentials=raising(error, is_async)
            )
            cases.append(("check_credentials", {"process_request": basic}))
    return cases


class _BrokenFactory(ServerPerMessageDeflateFactory):
    """An extension that fails to be negotiated."""

    def __init__(self, error: type[Exception]) -> None:
        super().__init__()
        self.process_request_params = raising(error, False)


@fault
async def exceptions_in_hooks_of_servers(scene: Scene) -> None:
    """The client gets an answer; the next one is served."""
    for error in ERRORS:
        for name, arguments in server_hooks(scene, error):
            async with scene.server(echo, **arguments) as port:
                await fails(scene, port, name)
        for is_async in (False, True):
            await handlers(scene, error, is_async)


async def handlers(scene: Scene, error: type[Exception], is_async: bool) -> None:
    """A handler raises at once, or when a message has come."""
    raise_it = raising(error, is_async)

    async def at_once(connection: Any) -> None:
        if is_async:
            await raise_it()
        raise_it()

    async def later(connection: Any) -> None:
        await connection.recv()
        await at_once(connection)

    for handler in (at_once, later):
        async with scene.server(handler) as port:
            connection = await scene.open(port)
            with contextlib.suppress(ConnectionClosed):
                await connection.send("hello")
                await connection.recv()
            await connection.wait_closed()
            scene.injected += 1
            code = connection.close_code
            scene.check(code == 1011, f"close code after a handler's error: {code}")


@fault
async def exceptions_in_hooks_of_clients(scene: Scene) -> None:
    """The caller gets the exception; the next one connects."""
    headers = "additional_headers" if scene.face == "modern" else "extra_headers"
    making = "create_connection" if scene.face == "modern" else "create_protocol"
    async with scene.server(echo, subprotocols=["chat"]) as port:
        for error in ERRORS:
            for is_async in (False, True):
                hook = raising(error, is_async)
                scene.injected += 1
                await raises(scene, scene.connect(hook, proxy=None), "uri")
                await fails(scene, port, headers, **{headers: hook})
            hook = raising(error, False)
            await fails(scene, port, making, **{making: hook})
            offer = ClientPerMessageDeflateFactory()
            offer.process_response_params = hook  # type: ignore[method-assign]
            await fails(scene, port, "extensions", extensions=[offer])
            await reconnecting(scene, port, hook)
        await visit(scene, port, subprotocols=["chat"])


async def raises(scene: Scene, connecting: Any, name: str) -> None:
    """Await what must raise what a hook has."""
    try:
        await connecting
        scene.problems.append(f"{name} has raised, and nobody noticed")
    except (RuntimeError, *ERRORS):
        pass


async def reconnecting(scene: Scene, port: int, hook: Any) -> None:
    """Hooks of ``async for ... in connect()`` raise."""

    def refuse() -> str:
        raise OSError("nothing there")

    for name in ("process_exception", "reconnect_delays"):
        connecting = scene.connect(refuse, proxy=None, **{name: hook})
        if name == "process_exception":
            connecting.process_exception = hook
        scene.injected += 1

        async def follow(connecting: Any = connecting) -> None:
            async for _ in connecting:
                pass

        await scene.in_time(raises(scene, follow(), name), 10, name)


@fault
async def exceptions_in_messages(scene: Scene) -> None:
    """Extensions fail to encode and decode, iterators end with an exception."""
    scene.expected += ["from a hook"]
    for name in ("encode", "decode"):
        for error in ERRORS:
            await broken_extension(scene, name, error)
    for error in ERRORS:
        for number in (0, 1, 2):
            await broken_message(scene, error, number)


class Extension(BaseExtension):
    """Fails where it's told to."""

    name = ExtensionName("x-broken")
    broken = ""
    error: type[Exception] = Broken

    def encode(self, frame: Any) -> Any:
        """Leave the frame as it is, or fail."""
        if self.broken == "encode":
            raise self.error("from a hook")
        return frame

    def decode(self, frame: Any, *, max_size: int | None = None) -> Any:
        """Leave the frame as it is, or fail."""
        if self.broken == "decode":
            raise self.error("from a hook")
        return frame


class ServerFactory(ServerExtensionFactory):
    """Accepts an extension."""

    name = Extension.name

    def __init__(self, extension: Extension) -> None:
        self.extension = extension

    def process_request_params(self, *args: Any) -> Any:
        """Return the extension; it has no parameters."""
        return [], self.extension


class ClientFactory(ClientExtensionFactory):
    """Offers an extension."""

    name = Extension.name

    def __init__(self, extension: Extension) -> None:
        self.extension = extension

    def get_request_params(self) -> Any:
        """Return no parameters."""
        return []

    def process_response_params(self, *args: Any) -> Any:
        """Return the extension."""
        return self.extension


async def broken_extension(scene: Scene, name: str, error: type[Exception]) -> None:
    """An extension fails at either end: the connection ends, and others go on."""
    for is_server in (True, False):
        ours, theirs = Extension(), Extension()
        broken = ours if is_server else theirs
        broken.error = error
        accepting = {"extensions": [ServerFactory(ours)], "compression": None}
        offering = {"extensions": [ClientFactory(theirs)], "compression": None}
        async with scene.server(echo, **accepting) as port:
            async with scene.open(port, **offering) as connection:
                broken.broken = name
                scene.injected += 1
                try:
                    async with asyncio.timeout(10) as patience:
                        await connection.send("hello")
                        await connection.recv()
                    scene.problems.append(f"{name} has raised, and nobody noticed")
                except (ConnectionClosed, RuntimeError, *ERRORS):
                    late = patience.expired()
                    scene.check(not late, f"{name} has raised, and all wait")
                broken.broken = ""
            await visit(scene, port)


async def broken_message(scene: Scene, error: type[Exception], number: int) -> None:
    """A message in fragments ends with an exception."""

    def items() -> Any:
        yield from ["x"] * number
        raise Broken if error is StopIteration else error

    async def async_items() -> AsyncIterator[str]:
        for item in items():
            yield item

    for message in (items, async_items):
        async with scene.server(echo) as port, scene.open(port) as connection:
            scene.injected += 1
            try:
                await connection.send(message())
                scene.problems.append("an iterator has raised, and nobody noticed")
            except tuple(ERRORS):
                pass
            with contextlib.suppress(ConnectionClosed):
                await connection.send("after")
                await connection.recv()


@fault
async def exceptions_in_subclasses(scene: Scene) -> None:
    """Methods that subclasses override raise: the connection ends, others don't."""
    server_class, client_class = classes(scene)
    making = "create_connection" if scene.face == "modern" else "create_protocol"
    # The event loop tells what its callbacks have raised.
    scene.expected += ["from a hook"]
    names = ["connection_made", "connection_lost", "data_received", "eof_received"]
    names += ["process_request", "select_subprotocol", "handshake"]
    for name in names:
        for error in (Broken, MemoryError):
            for base in (server_class, client_class):
                if hasattr(base, name):
                    await broken_method(scene, base, making, name, error)


def classes(scene: Scene) -> tuple[Any, Any]:
    """Return the classes of a face's connections."""
    server, client = scene.server_module, scene.client_module
    if scene.face == "modern":
        return server.ServerConnection, client.ClientConnection
    return server.WebSocketServerProtocol, client.WebSocketClientProtocol


async def broken_method(
    scene: Scene, base: Any, making: str, name: str, error: type[Exception]
) -> None:
    """Visit a server, or be a visitor, with a method that raises."""
    method = getattr(base, name)
    hook = raising(error, asyncio.iscoroutinefunction(method))

    def callback(self: Any, *args: Any) -> None:
        method(self, *args)
        hook()

    is_callback = name.startswith(("connection_", "data_", "eof_"))
    broken = type("Overriding", (base,), {name: callback if is_callback else hook})
    scene.injected += 1
    is_server = base in classes(scene)[:1]
    served = {making: broken} if is_server else {}
    visiting = {} if is_server else {making: broken}
    async with scene.server(echo, close_timeout=1, **served) as port:
        # It may raise whatever it likes.
        with contextlib.suppress(Exception):
            async with asyncio.timeout(10) as patience:
                await visit(scene, port, open_timeout=2, close_timeout=1, **visiting)
        scene.check(not patience.expired(), f"{name} has raised, and all wait")
        if visiting:
            await visit(scene, port)


@fault
async def exceptions_in_logging(scene: Scene) -> None:
    """Filters of loggers raise; logging lets that through."""
    logger = logging.getLogger("websockets")
    level = logger.level

    class Filter(logging.Filter):
        """Fails."""

        def filter(self, record: Any) -> bool:
            raise Broken("from a filter")

    scene.expected += ["from a filter"]
    broken = Filter()
    for name in ("websockets.server", "websockets.client"):
        for verbosity in (logging.INFO, logging.DEBUG):
            async with scene.server(echo) as port:
                logger.setLevel(verbosity)
                logging.getLogger(name).addFilter(broken)
                scene.injected += 1
                try:
                    async with asyncio.timeout(10):
                        await visit(scene, port, open_timeout=2)
                except (Broken, InvalidHandshake, ConnectionClosed, OSError):
                    pass
                finally:
                    logging.getLogger(name).removeFilter(broken)
                    logger.setLevel(level)
                await visit(scene, port)
