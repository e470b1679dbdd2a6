"""Floor 5, faces: ``websockets serve``: a server that is ready at once."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib
import importlib.resources
import logging
import os
import socket
import ssl
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from ..asyncio import server as modern
from ..asyncio.server import ServerConnection, broadcast
from ..classic import server as classic
from ..http11 import Request, Response
from .arguments import add_message_arguments
from .failures import CommandError, why, why_unusable

__all__ = ["EXAMPLES", "HELP", "TERMINATED", "add_arguments", "run"]

HELP = "run a server that echoes, one that broadcasts, or a handler of yours"

EXAMPLES = """\
  websockets serve
  websockets serve --broadcast --host 0.0.0.0 --port 8080
  websockets serve mymodule:handler --tls-cert cert.pem --tls-key key.pem
"""

#: Exit status after SIGTERM: that is how servers are told to end.
TERMINATED = 0

_LOG_FORMAT = "%(asctime)s %(levelname)s %(message)s"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command; it's long since they're many."""
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "handler",
        nargs="?",
        metavar="MODULE:HANDLER",
        help="a handler as websockets.serve() takes it, from a module in the current "
        "directory or wherever Python finds modules",
    )
    what.add_argument(
        "--echo",
        action="store_true",
        help="send each message back to where it came from (the default)",
    )
    what.add_argument(
        "--broadcast", action="store_true", help="send each message to all clients"
    )
    group = parser.add_argument_group("listening")
    group.add_argument(
        "--host",
        default="localhost",
        help='address to listen on; "" for all (default: localhost)',
    )
    group.add_argument(
        "--port",
        type=_port,
        default=8765,
        help="port to listen on; 0 for any that is free (default: 8765)",
    )
    group.add_argument("--unix", metavar="PATH", help="listen on a Unix socket instead")
    group.add_argument(
        "--tls-cert", metavar="FILE", help="certificate chain, for wss:// URIs"
    )
    group.add_argument(
        "--tls-key", metavar="FILE", help="its key, if that is in another file"
    )
    group = parser.add_argument_group("connections")
    add_message_arguments(group)
    group.add_argument(
        "--debug", action="store_true", help="log all frames, not only connections"
    )


def _port(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and int(text) < 65536):
        raise argparse.ArgumentTypeError(f"{text!r} isn't a port: 0 to 65535")
    return int(text)


async def run(options: argparse.Namespace) -> int:
    """Run this command until it's interrupted."""
    level = logging.DEBUG if options.debug else logging.INFO
    logging.basicConfig(level=level, format=_LOG_FORMAT, stream=sys.stderr)
    server = await _start(options)
    forever: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    try:
        for line in _addresses(options, server):
            print(line, flush=True)
        # Only an interruption ends it, by cancelling.
        return await forever
    finally:
        server.close()
        await server.wait_closed()
        if options.unix is not None:
            with contextlib.suppress(OSError):
                os.unlink(options.unix)


async def _start(options: argparse.Namespace) -> Any:
    """Return the server, listening."""
    settings: dict[str, Any] = {
        "compression": options.compression,
        "max_size": options.max_size,
        "ssl": _make_context(options),
    }
    if options.handler is None:
        face: Any = modern
        handler: Any = send_to_all if options.broadcast else echo
        settings["process_request"] = answer_with_page
    else:
        # The top-level names are this one.
        face, handler = classic, _find_handler(options.handler)
    try:
        if options.unix is not None:
            return await face.unix_serve(handler, options.unix, **settings)
        return await face.serve(handler, options.host or None, options.port, **settings)
    except (OSError, NotImplementedError) as exc:
        # The latter on Windows, whose event loops have no Unix sockets.
        where = options.unix or f"{options.host} port {options.port}"
        raise CommandError(f"Failed to listen on {where}: {why(exc)}.") from exc


def _make_context(options: argparse.Namespace) -> ssl.SSLContext | None:
    """Return the TLS context for the certificate; None if there is none."""
    if options.tls_cert is None:
        if options.tls_key is not None:
            raise CommandError("websockets serve: --tls-key needs --tls-cert", 2)
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(options.tls_cert, options.tls_key)
    except OSError as exc:
        files = " ".join(filter(None, [options.tls_cert, options.tls_key]))
        text = f"websockets serve: {files} can't be used: {why_unusable(exc)}"
        raise CommandError(text, 2) from exc
    return context


def _find_handler(name: str) -> Callable[..., Awaitable[None]]:
    """Import a handler."""
    module_name, _, path = name.partition(":")
    if not module_name or not path:
        raise CommandError(f"websockets serve: {name} isn't MODULE:HANDLER", 2)
    # As with "python -m", modules of the current directory come first.
    if "" not in sys.path:
        sys.path.insert(0, "")
    try:
        handler: Any = importlib.import_module(module_name)
        for attribute in path.split("."):
            handler = getattr(handler, attribute)
    except (ImportError, AttributeError) as exc:
        text = f"websockets serve: {name} can't be imported: {why(exc)}"
        raise CommandError(text, 2) from exc
    if not callable(handler):
        raise CommandError(f"websockets serve: {name} isn't a function", 2)
    return handler  # type: ignore[no-any-return]


def _addresses(options: argparse.Namespace, server: Any) -> list[str]:
    """Return what to print about where the server is."""
    what = options.handler or ("broadcast" if options.broadcast else "echo")
    if options.unix is not None:
        return [f"Serving {what} on the Unix socket {options.unix}"]
    # Without a port, those of IPv6 and IPv4 differ; the latter works everywhere.
    sock = min(server.sockets, key=lambda sock: sock.family != socket.AF_INET)
    port = sock.getsockname()[1]
    host = options.host or "localhost"
    host = f"[{host}]" if ":" in host else host
    secure = "s" if options.tls_cert else ""
    lines = [f"Serving {what} on ws{secure}://{host}:{port}/"]
    if options.handler is None:
        lines.append(f"To try it in a browser: http{secure}://{host}:{port}/")
    return lines


# The built-in handlers.


async def echo(connection: ServerConnection) -> None:
    """Send each message back."""
    async for message in connection:
        await connection.send(message)


async def send_to_all(connection: ServerConnection) -> None:
    """Send each message to all clients, this one included."""
    async for message in connection:
        broadcast(connection.server.connections, message)


def answer_with_page(connection: ServerConnection, request: Request) -> Response | None:
    """Give browsers a page to try the server with."""
    if "Upgrade" in request.headers:
        return None
    page = importlib.resources.files(__package__).joinpath("page.html")
    response = connection.respond(200, page.read_text(encoding="utf-8"))
    del response.headers["Content-Type"]
    response.headers["Content-Type"] = "text/html; charset=utf-8"
    return response
