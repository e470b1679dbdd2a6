"""Floor 4, engine: whose transports carry connections.

asyncio's own ones do, unless aiofastnet (on PyPI) is installed: then its transports
carry the connections of asyncio's selector loops, with less work for each read and
write. Nothing else may differ, so they serve only where no difference was found:

- on the standard selector loops of Unix, whose methods nobody has replaced: an event
  loop that brings its own transports is there for them;
- with arguments that were compared;
- without TLS, unless the user insists. Its TLS calls OpenSSL directly, and doesn't
  give an :class:`ssl.SSLObject`. The callbacks that a TLS context may have crash the
  process there, and a context may get one at any time.

The environment variable ``WEBSOCKETS_TRANSPORT`` switches: "asyncio" for asyncio's
transports always; "aiofastnet" to insist: with TLS as well, unless the context has a
callback when the server or the connection is made; "auto", or nothing, for the above.
docs/topics/fast.rst tells users.

And tests may have transports without sockets: see :data:`stand_ins`.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import importlib
import os
import select
import socket
import ssl as ssl_module
import sys
import weakref
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from .tls import TLSStarter

__all__ = [
    "find_connector",
    "find_stand_in",
    "listen_on",
    "read_rest",
    "stand_ins",
    "transports",
]

# Options with which both do the same, of each method of an event loop.
_TLS = {"ssl", "ssl_handshake_timeout", "ssl_shutdown_timeout"}
_SAME: dict[str, set[str]] = {
    "create_connection": {
        *_TLS,
        *("family", "flags", "happy_eyeballs_delay", "interleave", "proto"),
        *("server_hostname", "sock"),
    },
    "create_unix_connection": {*_TLS, "path", "server_hostname", "sock"},
    "create_server": {
        *_TLS,
        *("backlog", "family", "flags", "reuse_address", "reuse_port", "sock"),
        "start_serving",
    },
    "create_unix_server": {*_TLS, "backlog", "path", "sock", "start_serving"},
}


#: Bytes that are read from a connection that is lost.
_REST = 2**23


class StandIn(Protocol):
    """What takes the place of an event loop where connections are made."""

    def find(self, name: str, target: Any) -> Callable[..., Any] | None:
        """
        Return what to call instead of a method; None for the method itself.

        Args:
            name: of the method.
            target: a host and a port, or the path of a Unix socket.

        """
        ...


#: What tests have connect and listen instead of an event loop, by event loop;
#: :mod:`websockets.testing` puts it here.
stand_ins: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, StandIn]
stand_ins = weakref.WeakKeyDictionary()


def find_stand_in(
    loop: asyncio.AbstractEventLoop, name: str, target: Any
) -> Callable[..., Any] | None:
    """Return what a test has called instead of a method; None where it's usual."""
    stand_in = stand_ins.get(loop)
    return None if stand_in is None else stand_in.find(name, target)


def transports() -> str:
    """
    Return whose transports carry connections on asyncio's selector loops.

    That is "asyncio" or "aiofastnet", as the environment variable
    ``WEBSOCKETS_TRANSPORT`` and what is installed say.

    Raises:
        ValueError: if the variable has another value.
        ImportError: if it names aiofastnet, which isn't installed.

    """
    return "asyncio" if _choose()[0] is None else "aiofastnet"


def find_connector(
    loop: asyncio.AbstractEventLoop, name: str, options: Mapping[str, Any]
) -> Callable[..., Any]:
    """
    Return what makes transports: a method of the event loop, or what is better.

    Args:
        loop: the running event loop.
        name: of the method.
        options: what it will be called with, by name.

    """
    method: Callable[..., Any] = getattr(loop, name)
    library, insisted = _choose()
    if library is None or not _is_stock(loop, name):
        return method
    if not options.keys() <= _SAME[name]:
        return method
    if options.get("ssl") and not (insisted and _is_harmless(options["ssl"])):
        return method
    return functools.partial(getattr(library, name), loop)


def read_rest(transport: Any) -> bytes:
    """
    Return what came before a connection was lost and its transport didn't read.

    Transports that fail to write read no more, and a peer may have said much before it
    reset the connection. The system keeps that until the socket is closed. Of more than
    8 MiB, which few systems allow a connection, the rest is lost. So is all of it with
    TLS, since its state was lost with the connection.

    Args:
        transport: a transport that is telling of the loss.

    """
    sock = transport.get_extra_info("socket")
    if (
        sock is None
        or transport.get_extra_info("sslcontext") is not None
        # There, a reset takes with it what wasn't read.
        or sys.platform == "win32"
    ):
        return b""
    number = sock.fileno()
    chunks = []
    # What isn't a number is that of a test's own transport.
    if isinstance(number, int) and number >= 0 and _is_dead(number):
        size = 0
        # It is all there: nothing comes any more, and recv() doesn't wait.
        with contextlib.suppress(OSError), socket.socket(fileno=os.dup(number)) as copy:
            while size < _REST and (chunk := copy.recv(2**18, socket.MSG_DONTWAIT)):
                chunks.append(chunk)
                size += len(chunk)
    return b"".join(chunks)


def _is_dead(number: int) -> bool:
    """
    Tell whether nothing can come any more, but for what is there already.

    If a transport ever told the number of a socket that it has closed, this would
    keep us from reading from somebody's connection that is alive.
    """
    poll = select.poll()
    poll.register(number, 0)
    return any(events & select.POLLHUP for _, events in poll.poll(0))


async def listen_on(
    loop: asyncio.AbstractEventLoop,
    name: str,
    factory: Callable[[], Any],
    *arguments: Any,
    secure: Callable[[TLSStarter], Callable[[], Any]] | None = None,
    **options: Any,
) -> asyncio.Server:
    """
    Begin to listen.

    Args:
        loop: the running event loop.
        name: "create_server" or "create_unix_server".
        factory: makes what takes the connections.
        arguments: of that method; it doesn't matter whose it is.
        secure: returns what to take as the factory instead where TLS can be started
            on connections that were accepted without; None to leave TLS to the event
            loop.
        options: more of them.

    Raises:
        OSError: if it can't listen there.

    Cancelling closes what was opened so far.
    """
    start = options.pop("start_serving", True)
    server = await _bind(
        loop, name, factory, *arguments, secure=secure, **options, start_serving=False
    )
    if start:
        # If create_server() did this and were cancelled then, nobody would have a
        # server to close.
        try:
            await server.start_serving()
        except BaseException:
            server.close()
            raise
    return server


async def _bind(
    loop: asyncio.AbstractEventLoop,
    name: str,
    factory: Callable[[], Any],
    *arguments: Any,
    secure: Callable[[TLSStarter], Callable[[], Any]] | None,
    **options: Any,
) -> asyncio.Server:
    """Make a server, with whatever is best."""
    if options.get("sock") is None:
        target = options.get("path") if name == "create_unix_server" else arguments
        stand_in = find_stand_in(loop, name, target)
        if stand_in is not None:
            return await stand_in(factory, *arguments, **options)  # type: ignore[no-any-return]
    method: Callable[..., Any] = getattr(loop, name)
    connector = find_connector(loop, name, options)

    def begin(make: Callable[..., Any], **more: Any) -> Any:
        given = {**options, **more}
        if secure is not None and isinstance(given.get("ssl"), ssl_module.SSLContext):
            start = _find_tls(loop, make != method)
            if start is not None:
                tls = {name: given.pop(name) for name in _TLS & given.keys()}
                return make(secure(TLSStarter(start, tls)), *arguments, **given)
        return make(factory, *arguments, **given)

    if connector != method:
        more = {}
        if name == "create_unix_server" and sys.version_info < (3, 13):
            # asyncio leaves the socket's file there when the server is closed.
            more["cleanup_socket"] = False
        try:
            return await begin(connector, **more)  # type: ignore[no-any-return]
        except OSError:
            if options.get("sock") is not None:
                raise
            # asyncio tells it in its own way.
    return await begin(method)  # type: ignore[no-any-return]


def _find_tls(
    loop: asyncio.AbstractEventLoop, library: bool
) -> Callable[..., Any] | None:
    """
    Return what starts TLS on the transports of an event loop, or of the library.

    None for event loops that nobody has tried: they may have transports of their own.
    """
    if library:
        return functools.partial(_load().start_tls, loop)
    if isinstance(loop, asyncio.BaseEventLoop) or (
        type(loop).__module__.partition(".")[0] in ("uvloop", "winloop")
    ):
        return loop.start_tls
    return None


def _choose() -> tuple[Any, bool]:
    """Return the library, None for none, and whether the user insists on it."""
    wanted = os.environ.get("WEBSOCKETS_TRANSPORT") or "auto"
    if wanted == "asyncio":
        return None, False
    if wanted not in ("auto", "aiofastnet"):
        raise ValueError(
            "WEBSOCKETS_TRANSPORT can be auto, asyncio, aiofastnet; "
            f"the environment has {wanted!r}"
        )
    library = _load()
    if wanted == "auto":
        return library, False
    if library is None:
        raise ImportError(
            "aiofastnet isn't installed, or not for this platform: install it, or "
            "don't set WEBSOCKETS_TRANSPORT"
        )
    return library, True


@functools.cache
def _load() -> Any:
    """Import the library; return None if it isn't installed or doesn't serve."""
    if sys.platform == "win32":
        return None
    try:
        return importlib.import_module("aiofastnet")
    except ImportError:
        return None


def _is_stock(loop: asyncio.AbstractEventLoop, name: str) -> bool:
    """Tell whether a method of an event loop is that of asyncio's selector loops."""
    stock = getattr(asyncio.SelectorEventLoop, name)
    return getattr(getattr(loop, name), "__func__", None) is stock


def _is_harmless(context: Any) -> bool:
    """Tell whether a TLS context has nothing that calls back into Python."""
    return (
        type(context) is ssl_module.SSLContext
        and context.sni_callback is None
        and context.keylog_filename is None
        and context.sslobject_class is ssl_module.SSLObject
        # A debugging aid of the ssl module, without a public name.
        and getattr(context, "_msg_callback", None) is None
    )
