"""Floor 5, faces: what went wrong, in one line."""

from __future__ import annotations

import os
import re
import socket
import ssl
from typing import Any

from ..exceptions import InvalidMessage, InvalidStatus
from .style import printable

__all__ = ["CommandError", "one_line", "why", "why_unusable"]

_MOST_BODY = 200

_ERRNO = re.compile(r"\[Errno (\d+)\]")


class CommandError(Exception):
    """A command can't go on.

    Args:
        text: why.
        status: the exit status.

    """

    def __init__(self, text: str, status: int = 1) -> None:
        super().__init__(text)
        self.status = status


def one_line(text: str) -> str:
    """Return a text that can be printed in one line."""
    return printable(" ".join(text.split()))


def why(exc: BaseException) -> str:
    """Tell in a few words why connecting or listening has failed."""
    for kind, explain in _EXPLANATIONS.items():
        if isinstance(exc, kind):
            return one_line(explain(exc))
    return one_line(_explain(exc))


def why_unusable(exc: OSError) -> str:
    """Tell in a few words why a file with certificates or keys can't be used."""
    if isinstance(exc, ssl.SSLError):
        return f"it doesn't have what is needed in PEM format ({_ssl_reason(exc)})"
    return why(exc)


def _ssl_reason(exc: ssl.SSLError) -> str:
    # OpenSSL has names such as WRONG_VERSION_NUMBER.
    reason: str = getattr(exc, "reason", None) or str(exc)
    return reason.replace("_", " ").lower()


def _explain(exc: BaseException) -> str:
    """Tell an error, and what has caused it."""
    text = str(exc) or type(exc).__name__
    cause = exc.__cause__
    if cause is None or (type(cause) is type(exc) and str(cause) == str(exc)):
        return text
    return f"{text}: {why(cause)}"


def _explain_status(exc: Any) -> str:
    response = exc.response
    text = f"the server answered HTTP {response.status_code} {response.reason_phrase}"
    body = response.body.decode(errors="replace").strip()
    # What is for people to read may say more; a page is too long.
    if not body or body.startswith("<"):
        return text
    return f"{text}: {body[:_MOST_BODY]}"


def _explain_message(exc: Any) -> str:
    return f"the server doesn't speak HTTP: {_explain(exc)}"


def _explain_certificate(exc: Any) -> str:
    return (
        f"the server's certificate isn't trusted: {exc.verify_message} "
        "(--cacert trusts another, --insecure any)"
    )


def _explain_tls(exc: Any) -> str:
    return f"TLS failed: {_ssl_reason(exc)} (the port may be one for ws://)"


def _explain_name(exc: Any) -> str:
    return f"the host isn't known: {exc.strerror}"


def _explain_timeout(exc: Any) -> str:
    if exc.errno is not None:
        return _explain_system(exc)
    return "there was no answer in time; --timeout sets for how long to wait"


def _explain_system(exc: Any) -> str:
    """Name the errors that the operating system has given, without addresses."""
    # A host may have several addresses: one text has the errors of all.
    numbers = [exc.errno] if exc.errno else map(int, _ERRNO.findall(str(exc)))
    names = dict.fromkeys(os.strerror(number) for number in numbers)
    where = f": {exc.filename}" if exc.filename else ""
    return "; ".join(names) + where if names else _explain(exc)


def _explain_lost(exc: Any) -> str:
    if exc.errno is not None:
        return _explain_system(exc)
    return "the connection was lost during the handshake"


#: By kind of error; subclasses come before what they're made of.
_EXPLANATIONS = {
    InvalidStatus: _explain_status,
    InvalidMessage: _explain_message,
    ssl.SSLCertVerificationError: _explain_certificate,
    ssl.SSLError: _explain_tls,
    socket.gaierror: _explain_name,
    TimeoutError: _explain_timeout,
    ConnectionError: _explain_lost,
    OSError: _explain_system,
}
