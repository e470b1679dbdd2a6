"""Floor 1, bytes: the grammar of the headers of the opening handshake.

Parsers take a header's value and an index, and return what they read and the index
behind it; ``parse_end`` checks that nothing is left. What each of them reads is one
regular expression, matched at the index. These use possessive repetition or
disjoint alternatives, so they take linear time whatever the network sends.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar, cast

from .exceptions import InvalidHeaderFormat, InvalidHeaderValue
from .typing import (
    ConnectionOption,
    ExtensionHeader,
    ExtensionName,
    ExtensionParameter,
    Subprotocol,
    UpgradeProtocol,
)

__all__ = [
    "build_authorization_basic",
    "build_extension",
    "build_host",
    "build_subprotocol",
    "build_www_authenticate_basic",
    "loggable_value",
    "parse_authorization_basic",
    "parse_connection",
    "parse_extension",
    "parse_subprotocol",
    "parse_upgrade",
    "validate_subprotocols",
]

T = TypeVar("T")

# RFC 9110, 5.6. Tokens and white space; obs-text (latin-1 or a surrogate that stands
# for a byte) is allowed inside quotes.
_CHAR = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]"
_OBS = "\x80-\xff\udc80-\udcff"

_OWS = re.compile(r"[\t ]*+")
_TOKEN = re.compile(rf"{_CHAR}++")
_PROTOCOL = re.compile(rf"{_CHAR}++(?:/{_CHAR}++)?")
_QUOTED_STRING = re.compile(
    rf'"((?:[\t !\x23-\x5b\x5d-\x7e{_OBS}]++|\\[\t\x20-\x7e{_OBS}])*+)"'
)
_QUOTED_PAIR = re.compile(r"\\(.)")
_TOKEN68 = re.compile(r"[A-Za-z0-9\-._~+/]++=*+")
# Empty elements of a list (RFC 9110, 5.6.1.2), and what is between two elements.
_EMPTY_ELEMENTS = re.compile(r"[\t ,]*+")
_COMMA = re.compile(r"[\t ]*+,[\t ,]*+")

# What may stand between quotes when we write it, as it is or behind a backslash.
_QUOTABLE = re.compile(rf"[\t\x20-\x7e{_OBS}]*+")
_TO_ESCAPE = re.compile(r'(["\\])')


# --- Pieces ---------------------------------------------------------------------


def peek_ahead(header: str, pos: int) -> str | None:
    """Return the next character, or ``None`` at the end."""
    return header[pos] if pos < len(header) else None


def parse_OWS(header: str, pos: int) -> int:
    """Return the index behind optional white space."""
    match = _OWS.match(header, pos)
    assert match is not None, "it matches nothing too"
    return match.end()


def _parse(
    pattern: re.Pattern[str], expected: str, header: str, pos: int, header_name: str
) -> tuple[str, int]:
    """Return what a regular expression matches and the index behind it."""
    if (match := pattern.match(header, pos)) is None:
        raise InvalidHeaderFormat(header_name, f"expected {expected}", header, pos)
    return match[0], match.end()


def parse_token(header: str, pos: int, header_name: str) -> tuple[str, int]:
    """Parse a token (RFC 9110, 5.6.2).

    Args:
        header: the header's value.
        pos: the index to start at.
        header_name: the header's name, for errors.

    Returns:
        the token and the index behind it.

    Raises:
        InvalidHeaderFormat: there is no token.

    """
    return _parse(_TOKEN, "token", header, pos, header_name)


def parse_quoted_string(header: str, pos: int, header_name: str) -> tuple[str, int]:
    """Parse a quoted string (RFC 9110, 5.6.4).

    Args:
        header: the header's value.
        pos: the index to start at.
        header_name: the header's name, for errors.

    Returns:
        the text without its quotes and backslashes, and the index behind it.

    Raises:
        InvalidHeaderFormat: there is no quoted string.

    """
    quoted, end = _parse(_QUOTED_STRING, "quoted string", header, pos, header_name)
    return _QUOTED_PAIR.sub(r"\1", quoted[1:-1]), end


def build_quoted_string(value: str) -> str:
    """Build a quoted string (RFC 9110, 5.6.4).

    Args:
        value: the text.

    Raises:
        ValueError: a character of it can't be in a header, quoted or not.

    """
    if not _QUOTABLE.fullmatch(value):
        raise ValueError(f"invalid characters for a quoted string: {value!r}")
    return '"' + _TO_ESCAPE.sub(r"\\\1", value) + '"'


def parse_token68(header: str, pos: int, header_name: str) -> tuple[str, int]:
    """Parse a token68, which base64 text is (RFC 9110, 11.2).

    Args:
        header: the header's value.
        pos: the index to start at.
        header_name: the header's name, for errors.

    Returns:
        the text and the index behind it.

    Raises:
        InvalidHeaderFormat: there is no such text.

    """
    return _parse(_TOKEN68, "token68", header, pos, header_name)


def parse_end(header: str, pos: int, header_name: str) -> None:
    """Check that the header ends here.

    Raises:
        InvalidHeaderFormat: it doesn't.

    """
    if pos < len(header):
        raise InvalidHeaderFormat(header_name, "expected end of header", header, pos)


# --- Lists ----------------------------------------------------------------------


def parse_list(
    parse_item: Callable[[str, int, str], tuple[T, int]],
    header: str,
    pos: int,
    header_name: str,
) -> list[T]:
    """Parse a list of at least one element (RFC 9110, 5.6.1).

    Empty elements are skipped, as recipients must.

    Args:
        parse_item: parses an element, with the arguments of :func:`parse_token`.
        header: the header's value.
        pos: the index to start at; the list goes on to the end.
        header_name: the header's name, for errors.

    Returns:
        the elements.

    Raises:
        InvalidHeaderFormat: it isn't such a list.

    """
    items: list[T] = []
    pos = _skip_empty(header, pos)
    while not items or pos < len(header):
        item, pos = parse_item(header, pos, header_name)
        items.append(item)
        pos = _skip_comma(header, pos, header_name)
    return items


def _skip_empty(header: str, pos: int) -> int:
    """Return the index behind white space and commas."""
    match = _EMPTY_ELEMENTS.match(header, pos)
    assert match is not None, "it matches nothing too"
    return match.end()


def _skip_comma(header: str, pos: int, header_name: str) -> int:
    """Return the index of the next element, or the header's end."""
    if match := _COMMA.match(header, pos):
        return match.end()
    pos = parse_OWS(header, pos)
    if pos < len(header):
        raise InvalidHeaderFormat(header_name, "expected comma", header, pos)
    return pos


def _list_pattern(item: re.Pattern[str]) -> re.Pattern[str]:
    """Return the pattern of a whole list of items that contain no comma."""
    element = rf"[\t ,]*+{item.pattern}[\t ]*+"
    return re.compile(rf"(?:{element}(?:,|\Z))++[\t ,]*+")


_TOKEN_LIST = _list_pattern(_TOKEN)
_PROTOCOL_LIST = _list_pattern(_PROTOCOL)


def _parse_plain_list(
    item: re.Pattern[str],
    whole: re.Pattern[str],
    parse_item: Callable[[str, int, str], tuple[str, int]],
    header: str,
    header_name: str,
) -> list[str]:
    """Parse a list of plain items at once; element by element for the error."""
    if whole.fullmatch(header):
        return item.findall(header)
    return parse_list(parse_item, header, 0, header_name)


# --- Connection and Upgrade -----------------------------------------------------


def parse_connection_option(
    header: str, pos: int, header_name: str
) -> tuple[ConnectionOption, int]:
    """Parse an option of a Connection header; see :func:`parse_token`."""
    option, pos = parse_token(header, pos, header_name)
    return ConnectionOption(option), pos


def parse_connection(header: str) -> list[ConnectionOption]:
    """Parse a Connection header (RFC 9110, 7.6.1).

    Args:
        header: its value.

    Returns:
        the options, as they are written.

    Raises:
        InvalidHeaderFormat: it isn't a list of tokens.

    """
    options = _parse_plain_list(
        _TOKEN, _TOKEN_LIST, parse_connection_option, header, "Connection"
    )
    return cast("list[ConnectionOption]", options)


def parse_upgrade_protocol(
    header: str, pos: int, header_name: str
) -> tuple[UpgradeProtocol, int]:
    """Parse a protocol, such as ``websocket`` or ``HTTP/2.0``.

    See :func:`parse_token`.
    """
    protocol, pos = _parse(_PROTOCOL, "protocol", header, pos, header_name)
    return UpgradeProtocol(protocol), pos


def parse_upgrade(header: str) -> list[UpgradeProtocol]:
    """Parse an Upgrade header (RFC 9110, 7.8).

    Args:
        header: its value.

    Returns:
        the protocols, as they are written.

    Raises:
        InvalidHeaderFormat: it isn't a list of protocols.

    """
    protocols = _parse_plain_list(
        _PROTOCOL, _PROTOCOL_LIST, parse_upgrade_protocol, header, "Upgrade"
    )
    return cast("list[UpgradeProtocol]", protocols)


# --- Extensions -----------------------------------------------------------------

_EQUALS = re.compile(r"[\t ]*+=[\t ]*+")
_SEMICOLON = re.compile(r"[\t ]*+;[\t ]*+")


def parse_extension_item_param(
    header: str, pos: int, header_name: str
) -> tuple[ExtensionParameter, int]:
    """Parse a parameter of an extension (RFC 6455, 9.1); see :func:`parse_token`."""
    name, pos = parse_token(header, pos, header_name)
    if (match := _EQUALS.match(header, pos)) is None:
        return (name, None), pos
    pos = match.end()
    if peek_ahead(header, pos) != '"':
        value, pos = parse_token(header, pos, header_name)
        return (name, value), pos
    value, end = parse_quoted_string(header, pos, header_name)
    # RFC 6455, 9.1: what is quoted must be a token once it is unquoted.
    if not _TOKEN.fullmatch(value):
        raise InvalidHeaderFormat(
            header_name, "invalid quoted header content", header, pos
        )
    return (name, value), end


def parse_extension_item(
    header: str, pos: int, header_name: str
) -> tuple[ExtensionHeader, int]:
    """Parse an extension with its parameters; see :func:`parse_token`."""
    name, pos = parse_token(header, pos, header_name)
    parameters: list[ExtensionParameter] = []
    while match := _SEMICOLON.match(header, pos):
        parameter, pos = parse_extension_item_param(header, match.end(), header_name)
        parameters.append(parameter)
    return (ExtensionName(name), parameters), pos


def parse_extension(header: str) -> list[ExtensionHeader]:
    """Parse a Sec-WebSocket-Extensions header (RFC 6455, 9.1).

    Args:
        header: its value.

    Returns:
        the extensions, each with its name and its parameters; a parameter without
        a value has the value ``None``.

    Raises:
        InvalidHeaderFormat: it isn't a list of extensions.

    """
    return parse_list(parse_extension_item, header, 0, "Sec-WebSocket-Extensions")


parse_extension_list = parse_extension


def build_extension_item(
    name: ExtensionName, parameters: Sequence[ExtensionParameter]
) -> str:
    """Build an extension with its parameters, as a header lists it.

    Args:
        name: the extension's name.
        parameters: names and values; ``None`` is no value.

    """
    # RFC 6455, 9.1: values are tokens, which need no quotes.
    values = [key if value is None else f"{key}={value}" for key, value in parameters]
    return "; ".join([name, *values])


def build_extension(extensions: Sequence[ExtensionHeader]) -> str:
    """Build a Sec-WebSocket-Extensions header.

    Args:
        extensions: names and parameters, as :func:`parse_extension` returns them.

    """
    return ", ".join(build_extension_item(*extension) for extension in extensions)


build_extension_list = build_extension


# --- Subprotocols ---------------------------------------------------------------


def parse_subprotocol_item(
    header: str, pos: int, header_name: str
) -> tuple[Subprotocol, int]:
    """Parse a subprotocol; see :func:`parse_token`."""
    subprotocol, pos = parse_token(header, pos, header_name)
    return Subprotocol(subprotocol), pos


def parse_subprotocol(header: str) -> list[Subprotocol]:
    """Parse a Sec-WebSocket-Protocol header (RFC 6455, 11.3.4).

    Args:
        header: its value.

    Returns:
        the subprotocols.

    Raises:
        InvalidHeaderFormat: it isn't a list of tokens.

    """
    subprotocols = _parse_plain_list(
        _TOKEN, _TOKEN_LIST, parse_subprotocol_item, header, "Sec-WebSocket-Protocol"
    )
    return cast("list[Subprotocol]", subprotocols)


parse_subprotocol_list = parse_subprotocol


def build_subprotocol(subprotocols: Sequence[Subprotocol]) -> str:
    """Build a Sec-WebSocket-Protocol header.

    Args:
        subprotocols: the subprotocols, the preferred one first.

    """
    return ", ".join(subprotocols)


build_subprotocol_list = build_subprotocol


def validate_subprotocols(subprotocols: Iterable[Subprotocol]) -> None:
    """Check what was given as a list of subprotocols.

    Args:
        subprotocols: a sequence of names.

    Raises:
        TypeError: it isn't a sequence, or is a ``str``.
        ValueError: a name isn't a token (RFC 6455, 4.1, 10).

    """
    if not isinstance(subprotocols, Sequence) or isinstance(subprotocols, str):
        raise TypeError(
            f"subprotocols must be a list; got {type(subprotocols).__name__}"
        )
    for subprotocol in subprotocols:
        if not _TOKEN.fullmatch(subprotocol):
            raise ValueError(f"invalid subprotocol: {subprotocol!r}")


# --- Host -----------------------------------------------------------------------


def build_host(
    host: str, port: int, secure: bool, *, always_include_port: bool = False
) -> str:
    """Build a Host header (RFC 9110, 7.2).

    Args:
        host: the host's name or address, without brackets.
        port: the TCP port.
        secure: whether the connection uses TLS.
        always_include_port: whether the port is there even if it is the default
            one, as a CONNECT request to a proxy needs it.

    """
    if ":" in host:
        # An IPv6 address. Its zone means something on this machine only.
        host = f"[{host.partition('%')[0]}]"
    if port == (443 if secure else 80) and not always_include_port:
        return host
    return f"{host}:{port}"


# --- Basic authentication -------------------------------------------------------


def build_www_authenticate_basic(realm: str) -> str:
    """Build a WWW-Authenticate header for basic authentication (RFC 7617, 2).

    Args:
        realm: what the credentials are for.

    """
    return f'Basic realm={build_quoted_string(realm)}, charset="UTF-8"'


def parse_authorization_basic(header: str) -> tuple[str, str]:
    """Parse an Authorization header for basic authentication (RFC 7617, 2).

    The texts of errors don't contain the credentials.

    Args:
        header: its value.

    Returns:
        the user name and the password.

    Raises:
        InvalidHeaderFormat: it isn't a scheme and a token.
        InvalidHeaderValue: the scheme isn't basic authentication, or the token
            isn't a user name and a password.

    """
    name = "Authorization"
    try:
        scheme, pos = parse_token(header, 0, name)
        if scheme.lower() == "basic":
            if peek_ahead(header, pos) not in (" ", "\t"):
                raise InvalidHeaderFormat(name, "expected space", header, pos)
            token, pos = parse_token68(header, parse_OWS(header, pos), name)
            parse_end(header, parse_OWS(header, pos), name)
    except InvalidHeaderFormat as exc:
        _, error, _, pos = exc.args
        shown = loggable_value(name, header)
        raise InvalidHeaderFormat(name, error, shown, pos) from None
    if scheme.lower() != "basic":
        raise InvalidHeaderValue(name, f"unsupported scheme: {scheme}")
    return _parse_credentials(token)


def _parse_credentials(token: str) -> tuple[str, str]:
    """Return the user name and the password that a token stands for."""
    try:
        credentials = base64.b64decode(token.encode(), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        # Without their cause: it would show the credentials.
        raise InvalidHeaderValue(
            "Authorization", "expected base64-encoded credentials"
        ) from None
    # RFC 7617, 2: the user name has no colon, the password may have.
    username, colon, password = credentials.partition(":")
    if not colon:
        raise InvalidHeaderValue(
            "Authorization", "expected colon-separated credentials"
        )
    return username, password


def build_authorization_basic(username: str, password: str) -> str:
    """Build an Authorization header for basic authentication (RFC 7617, 2).

    Args:
        username: the user name.
        password: the password.

    Raises:
        ValueError: the user name has a colon.

    """
    if ":" in username:
        raise ValueError("user name must not contain a colon")
    # Surrogates stand for percent-encoded bytes of a URI that aren't UTF-8.
    credentials = f"{username}:{password}".encode("utf-8", "surrogateescape")
    return "Basic " + base64.b64encode(credentials).decode()


# --- Logs -----------------------------------------------------------------------

_MASK = "***"


def _mask_credentials(value: str) -> str:
    """Keep the scheme; without one, all of it may be the secret."""
    scheme, space, _ = value.partition(" ")
    return f"{scheme} {_MASK}" if space and _TOKEN.fullmatch(scheme) else _MASK


def _mask_cookie(value: str) -> str:
    """Keep a cookie's name; without one, all of it may be the secret."""
    name, equals, _ = value.partition("=")
    return f"{name.strip()}={_MASK}" if equals else _MASK


def _mask_cookies(value: str) -> str:
    """Keep the names of several cookies."""
    return "; ".join(_mask_cookie(cookie) for cookie in value.split(";"))


def _mask_set_cookie(value: str) -> str:
    """Keep a cookie's name, but not its attributes."""
    return _mask_cookie(value.partition(";")[0])


_MASKERS: dict[str, Callable[[str], str]] = {
    "authorization": _mask_credentials,
    "proxy-authorization": _mask_credentials,
    "cookie": _mask_cookies,
    "set-cookie": _mask_set_cookie,
}


def loggable_value(name: str, value: str) -> str:
    """Return a header's value with its secrets, if any, masked.

    The scheme of credentials and the names of cookies stay.

    Args:
        name: the header's name.
        value: its value.

    """
    masker = _MASKERS.get(name.lower())
    return value if masker is None else masker(value)
