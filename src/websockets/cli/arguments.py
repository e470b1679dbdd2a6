"""Floor 5, faces: what the commands' arguments have in common."""

from __future__ import annotations

import argparse
import importlib.util
import math
import ssl
import sys
from typing import Any, NoReturn

from ..asyncio.client import ClientConnection, connect, unix_connect
from ..datastructures import Headers
from ..exceptions import InvalidURI, WebSocketException
from ..headers import validate_subprotocols
from ..redaction import hide_password
from ..typing import Subprotocol
from ..uri import parse_uri
from .failures import CommandError, one_line, why, why_unusable

__all__ = [
    "Parser",
    "add_connection_arguments",
    "add_loop_argument",
    "add_message_arguments",
    "count",
    "duration",
    "open_connection",
    "positive",
    "seconds",
]


class Parser(argparse.ArgumentParser):
    """Tells in one line what is wrong with an argument."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
            **settings,
        )

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        """End the program; fail while somebody can tell if nobody reads the output."""
        sys.stdout.flush()
        super().exit(status, message)

    def error(self, message: str) -> NoReturn:
        """End the program with status 2."""
        text = one_line(f"{self.prog}: {message}")
        self.exit(2, f"{text} (try {self.prog} --help)\n")


# Types of arguments. Their error texts end up in the line above.


def _uri(text: str) -> str:
    try:
        parse_uri(text)
    except (InvalidURI, ValueError) as exc:
        raise argparse.ArgumentTypeError(str(exc)) from None
    return text


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon:
        raise argparse.ArgumentTypeError(f"{text!r} isn't NAME:VALUE")
    try:
        # Checks both.
        Headers([(name, value.strip())])
    except ValueError as exc:
        raise argparse.ArgumentTypeError(str(exc)) from None
    return name, value.strip()


def _subprotocol(text: str) -> Subprotocol:
    try:
        validate_subprotocols([Subprotocol(text)])
    except ValueError as exc:
        raise argparse.ArgumentTypeError(str(exc)) from None
    return Subprotocol(text)


def duration(text: str) -> float:
    """Read a number of seconds, which may be 0 or inf."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not number >= 0:
        raise argparse.ArgumentTypeError(f"{text!r} isn't a number from 0 on")
    return number


def seconds(text: str) -> float | None:
    """Read a duration; 0 and inf are None, for no limit."""
    number = duration(text)
    return number if 0 < number < math.inf else None


def positive(text: str) -> float:
    """Read a number above 0."""
    number = duration(text)
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} isn't a number above 0")
    return number


def count(text: str) -> int:
    """Read a number of things, at least 1."""
    if not (text.isascii() and text.isdecimal() and int(text)):
        raise argparse.ArgumentTypeError(f"{text!r} isn't a whole number from 1 on")
    return int(text)


def _size(text: str) -> int | None:
    """Read a number of bytes; 0 is None, for no limit."""
    if not (text.isascii() and text.isdecimal()):
        raise argparse.ArgumentTypeError(f"{text!r} isn't a number of bytes")
    return int(text) or None


def _compression(text: str) -> str | None:
    """Read what to compress with."""
    choices = {"deflate": "deflate", "none": None}
    if text not in choices:
        raise argparse.ArgumentTypeError(f"{text!r} is neither deflate nor none")
    return choices[text]


# Arguments of several commands.


def add_loop_argument(parser: argparse.ArgumentParser) -> None:
    """Add the choice of an event loop."""
    has_uvloop = importlib.util.find_spec("uvloop") is not None
    parser.add_argument(
        "--loop",
        choices=["asyncio", "uvloop"],
        default="uvloop" if has_uvloop else "asyncio",
        help="event loop (default: uvloop if it's installed)",
    )


def add_message_arguments(group: argparse._ArgumentGroup) -> None:
    """Add what a connection does with messages, whichever side it is."""
    group.add_argument(
        "--compression",
        type=_compression,
        default="deflate",
        metavar="KIND",
        help="deflate or none (default: deflate)",
    )
    group.add_argument(
        "--max-size",
        type=_size,
        default=2**20,
        metavar="BYTES",
        help="most bytes in a received message; 0 for no limit (default: 1 MiB)",
    )


def add_connection_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the URI and how to connect: as long as there are arguments."""
    parser.add_argument("uri", metavar="URI", type=_uri, help="where to connect")
    group = parser.add_argument_group("connecting")
    group.add_argument(
        "-H",
        "--header",
        action="append",
        default=[],
        type=_header,
        metavar="NAME:VALUE",
        help="header to add to the request; may be given several times",
    )
    group.add_argument(
        "--subprotocol",
        action="append",
        type=_subprotocol,
        metavar="NAME",
        help="subprotocol to offer; may be given several times, best first",
    )
    group.add_argument("--origin", help="value of the Origin header")
    group.add_argument(
        "--insecure",
        action="store_true",
        help="accept any certificate: no protection from impostors",
    )
    group.add_argument(
        "--cacert", metavar="FILE", help="certificates to trust instead of the system's"
    )
    group.add_argument("--unix", metavar="PATH", help="connect to this Unix socket")
    group.add_argument(
        "--proxy",
        default=True,
        metavar="URI",
        help='proxy to connect through; "none" for none (default: the system\'s)',
    )
    add_message_arguments(group)
    group.add_argument(
        "--timeout",
        type=seconds,
        default=10.0,
        metavar="SECONDS",
        help="for how long to wait for an answer (default: 10)",
    )


def _make_context(options: argparse.Namespace) -> ssl.SSLContext:
    """
    Return the TLS context that the arguments ask for.

    Raises:
        CommandError: if the file with certificates can't be read.

    """
    try:
        context = ssl.create_default_context(cafile=options.cacert)
    except OSError as exc:
        text = f"--cacert: {options.cacert} can't be used: {why_unusable(exc)}"
        raise CommandError(text, 2) from exc
    if options.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


async def open_connection(
    options: argparse.Namespace, **settings: Any
) -> ClientConnection:
    """
    Connect as the arguments say.

    Args:
        options: the arguments.
        settings: more arguments for ``connect()``.

    Raises:
        CommandError: if that fails.

    """
    if parse_uri(options.uri).secure and (options.insecure or options.cacert):
        settings["ssl"] = _make_context(options)
    settings = {
        "additional_headers": options.header,
        "subprotocols": options.subprotocol,
        "origin": options.origin,
        "compression": options.compression,
        "max_size": options.max_size,
        "open_timeout": options.timeout,
        "proxy": None if options.proxy == "none" else options.proxy,
        **settings,
    }
    try:
        if options.unix is None:
            return await connect(options.uri, **settings)
        return await unix_connect(options.unix, options.uri, **settings)
    except (OSError, ValueError, ImportError, WebSocketException) as exc:
        shown = one_line(hide_password(options.uri))
        raise CommandError(f"Failed to connect to {shown}: {why(exc)}.") from exc
