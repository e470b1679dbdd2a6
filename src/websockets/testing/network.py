"""Floor 5, faces: a network in memory, where servers listen and clients connect.

While a :class:`Network` is in use, ``connect()`` and ``serve()`` of both faces make
their transports in it instead of asking the event loop: see
:data:`websockets.asyncio.transports.stand_ins`.
"""

from __future__ import annotations

import asyncio
import contextvars
import errno
import functools
import inspect
import os
import socket
import ssl as ssl_module
from collections.abc import Callable
from typing import Any

from ..asyncio.transports import stand_ins
from .transports import MemorySocket
from .wire import Wire, reset_error

__all__ = ["MemoryHost", "MemoryListener", "Network", "OnWire"]

#: Called with each new wire before anything goes over it; may be async. An OSError
#: that it raises is what connecting fails with.
OnWire = Callable[[Wire], Any]

#: Ports that are given to those who don't ask for one.
_FIRST_PORT = 49152

#: Names of this machine.
_LOCAL = {"localhost", "127.0.0.1", "::1"}

#: What servers that listen everywhere have for a host.
_ANYWHERE = {None, "", "0.0.0.0", "::"}


class MemoryHost(str):
    """A host that servers listen on in memory, whatever else they would do."""

    __slots__ = ()


class MemoryListener(asyncio.AbstractServer):
    """
    What asyncio's server is to a server that listens in memory.

    Args:
        network: the network.
        factory: makes the protocol of each connection.
        addresses: where it listens.
        ssl: TLS context if clients have to use TLS, else None.

    Attributes:
        wires: the wires of all its connections so far.
        on_wire: what to do with each new wire to this server, or None.
        seed: for what these wires choose at random.

    """

    def __init__(
        self,
        network: Network,
        factory: Callable[[], Any],
        addresses: list[Any],
        ssl: ssl_module.SSLContext | None,
    ) -> None:
        self.wires: list[Wire] = []
        self.on_wire: OnWire | None = None
        self.seed = network.seed
        self.factory = factory
        self.ssl = ssl
        self.context = contextvars.copy_context()
        self._loop = asyncio.get_running_loop()
        self._network = network
        self._addresses = addresses
        self._serving = False

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """Return the event loop."""
        return self._loop

    def is_serving(self) -> bool:
        """Tell whether connections are accepted."""
        return self._serving

    async def start_serving(self) -> None:
        """Accept connections."""
        self._serving = self._network.is_listening(self)

    async def serve_forever(self) -> None:
        """Accept connections until cancelled."""
        await self.start_serving()
        try:
            await self._loop.create_future()
        finally:
            self.close()

    @property
    def sockets(self) -> tuple[MemorySocket, ...]:
        """Stand-ins for the sockets, which know their addresses."""
        if not self._network.is_listening(self):
            return ()
        return tuple(MemorySocket(family_of(item), item) for item in self._addresses)

    def close(self) -> None:
        """Accept no more connections."""
        self._serving = False
        self._network.forget(self)

    def close_clients(self) -> None:
        """Close all connections that were accepted."""
        for wire in self.wires:
            wire.server.close()

    def abort_clients(self) -> None:
        """Abort all connections that were accepted."""
        for wire in self.wires:
            wire.server.abort()

    async def wait_closed(self) -> None:
        """Return: it's closed at once."""


class Network:
    """
    A network in memory.

    :func:`network` has everything on an event loop use one.

    Args:
        seed: for what wires choose at random; the same seed gives the same.
        on_wire: what to do with each new :class:`~.wire.Wire` before anything goes
            over it, async or not, or None. An :exc:`OSError` that it raises is what
            connecting fails with.
        strict: whether nothing is outside of it: connecting where nobody listens
            fails. Otherwise that is left to the event loop.

    Attributes:
        wires: all wires so far, in the order in which they were made.

    """

    def __init__(
        self, *, seed: int = 0, on_wire: OnWire | None = None, strict: bool = True
    ) -> None:
        self.seed = seed
        self.on_wire = on_wire
        self.strict = strict
        self.wires: list[Wire] = []
        self._listeners: dict[Any, MemoryListener] = {}
        self._next_port = _FIRST_PORT
        self._users = 0

    # Taking the place of an event loop.

    def __enter__(self) -> Network:
        """Have connections of the running event loop made here."""
        loop = asyncio.get_running_loop()
        if stand_ins.setdefault(loop, self) is not self:
            raise RuntimeError(
                "this event loop has a network already; there can't be another one"
            )
        self._users += 1
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Leave it to the event loop again, unless others are here yet."""
        self._users -= 1
        if not self._users:
            del stand_ins[asyncio.get_running_loop()]

    def find(self, name: str, target: Any) -> Callable[..., Any] | None:
        """Return what makes transports here; None to have the event loop do it."""
        method: Callable[..., Any] = getattr(self, name)
        if name.endswith("server"):
            here = self.strict or (
                isinstance(target, tuple) and isinstance(target[0], MemoryHost)
            )
        else:
            here = self.strict or self.find_listener(target) is not None
        return method if here else None

    # Listening.

    async def create_server(
        self,
        factory: Callable[[], Any],
        host: Any = None,
        port: int | None = None,
        **options: Any,
    ) -> MemoryListener:
        """Listen; see :meth:`asyncio.loop.create_server`."""
        port = int(port or 0) or self.free_port()
        names = [host] if host is None or isinstance(host, str) else list(host)
        addresses = [(name or "0.0.0.0", port) for name in map(_plain, names)]
        return await self._listen(factory, addresses, options)

    async def create_unix_server(
        self, factory: Callable[[], Any], path: Any = None, **options: Any
    ) -> MemoryListener:
        """Listen; see :meth:`asyncio.loop.create_unix_server`."""
        return await self._listen(factory, [os.fsdecode(path)], options)

    async def _listen(
        self, factory: Callable[[], Any], addresses: list[Any], options: dict[str, Any]
    ) -> MemoryListener:
        listener = MemoryListener(self, factory, addresses, options.get("ssl"))
        keys = list(map(_key, addresses))
        for key, address in zip(keys, addresses, strict=True):
            if key in self._listeners:
                raise OSError(errno.EADDRINUSE, f"{address} is in use in this network")
        self._listeners.update(dict.fromkeys(keys, listener))
        if options.get("start_serving", True):
            await listener.start_serving()
        return listener

    def free_port(self) -> int:
        """Return a port that nobody had before."""
        self._next_port += 1
        return self._next_port - 1

    def is_listening(self, listener: MemoryListener) -> bool:
        """Tell whether a server is still known."""
        return listener in self._listeners.values()

    def forget(self, listener: MemoryListener) -> None:
        """Have a server's addresses be free again."""
        for key, known in list(self._listeners.items()):
            if known is listener:
                del self._listeners[key]

    def find_listener(self, target: Any) -> MemoryListener | None:
        """Return who listens on an address; on all of a port's, if need be."""
        key = _key(target)
        return self._listeners.get(key) or self._listeners.get((None, key[1]))

    # Connecting.

    async def create_connection(
        self,
        factory: Callable[[], Any],
        host: str,
        port: int,
        **options: Any,
    ) -> tuple[asyncio.Transport, Any]:
        """Connect; see :meth:`asyncio.loop.create_connection`."""
        local = options.get("local_addr") or ("127.0.0.1", self.free_port())
        return await self._connect(factory, (host, int(port)), local, options)

    async def create_unix_connection(
        self, factory: Callable[[], Any], path: Any, **options: Any
    ) -> tuple[asyncio.Transport, Any]:
        """Connect; see :meth:`asyncio.loop.create_unix_connection`."""
        return await self._connect(factory, os.fsdecode(path), "", options)

    async def _connect(
        self,
        factory: Callable[[], Any],
        remote: Any,
        local: Any,
        options: dict[str, Any],
    ) -> tuple[asyncio.Transport, Any]:
        listener = self.find_listener(remote)
        if listener is None or not listener.is_serving():
            raise ConnectionRefusedError(
                errno.ECONNREFUSED, f"nobody listens on {remote} in this network"
            )
        client, server = options.get("ssl"), listener.ssl
        number = len(self.wires) + 1
        wire = Wire(number=number, seed=listener.seed, secure=bool(client))
        self.wires.append(wire)
        listener.wires.append(wire)
        wire.make_ends(
            _extra(local, remote, client, options.get("server_hostname")),
            _extra(remote, local, server, None),
            listener.context.copy(),
        )
        for hook in self.on_wire, listener.on_wire:
            if hook is not None and inspect.isawaitable(answer := hook(wire)):
                await answer
        if bool(client) != bool(server):
            raise ConnectionResetError(
                errno.ECONNRESET,
                f"only one side uses TLS: a {'wss' if client else 'ws'}:// client and "
                f"a server on {remote} with{'' if server else 'out'} an ssl argument",
            )
        return await _establish(wire, factory, listener)

    async def open_connection(
        self, host: str, port: int
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """
        Connect without any WebSocket, to say anything to a server.

        Args:
            host: name of the server.
            port: port of the server.

        Returns:
            What :func:`asyncio.open_connection` does.

        """
        reader = asyncio.StreamReader()
        make = functools.partial(asyncio.StreamReaderProtocol, reader)
        transport, protocol = await self.create_connection(make, host, port)
        loop = asyncio.get_running_loop()
        return reader, asyncio.StreamWriter(transport, protocol, reader, loop)

    async def start_server(
        self,
        script: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any],
        host: str | None = None,
        port: int | None = None,
    ) -> MemoryListener:
        """
        Listen without any WebSocket, to say anything to clients.

        Args:
            script: a function, async or not, of a reader and a writer, as for
                :func:`asyncio.start_server`.
            host: where to listen.
            port: where to listen; None for any free port.

        """

        def make() -> asyncio.StreamReaderProtocol:
            return asyncio.StreamReaderProtocol(asyncio.StreamReader(), script)

        return await self.create_server(make, host, port)


async def _establish(
    wire: Wire, factory: Callable[[], Any], listener: MemoryListener
) -> tuple[asyncio.Transport, Any]:
    """Give both ends of a wire their protocols, the client first."""
    if wire.client.is_closing():
        raise reset_error()
    protocol = factory()
    connected = wire.loop.create_future()
    wire.client.later(wire.client.start, protocol)
    wire.server.later(lambda: wire.server.start(listener.factory()))
    wire.client.later(_set_result, connected)
    try:
        await connected
    except BaseException:
        wire.client.close()
        raise
    return wire.client, protocol


def _set_result(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _plain(host: str | None) -> str | None:
    return None if host in _ANYWHERE else str(host)


def _key(address: Any) -> Any:
    """Return what an address is known by: names of this machine are one."""
    if not isinstance(address, tuple):
        return "unix", os.fsdecode(address)
    host, port = address[0], int(address[1])
    if host in _ANYWHERE:
        return None, port
    return "localhost" if host.lower() in _LOCAL else host.lower(), port


def family_of(address: Any) -> int:
    """Return the address family of an address."""
    if isinstance(address, str):
        return getattr(socket, "AF_UNIX", socket.AF_UNSPEC)
    return socket.AF_INET6 if ":" in address[0] else socket.AF_INET


def _extra(
    local: Any, remote: Any, context: Any, server_hostname: str | None
) -> dict[str, Any]:
    """Return what a transport's ``get_extra_info()`` tells."""
    info = {
        "sockname": local,
        "peername": remote,
        "socket": MemorySocket(family_of(remote), local, remote),
    }
    if context is not None:
        make, server_side = ssl_module.MemoryBIO, server_hostname is None
        info["sslcontext"] = context
        info["ssl_object"] = context.wrap_bio(
            make(), make(), server_side, server_hostname
        )
    return info
