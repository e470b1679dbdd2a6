"""Headers: every parser against a second opinion, and builders against parsers."""

from __future__ import annotations

from typing import Any

from .. import grammar
from ..builds import find_builds
from ..recipe import Recipe

ERRORS = ("InvalidHeaderFormat", "InvalidHeaderValue")
LISTS = {
    "connection": grammar.read_token,
    "upgrade": grammar.read_protocol,
    "subprotocol": grammar.read_token,
    "extension": grammar.read_extension,
}
PIECES = {"token": grammar.Text.token, "quoted_string": grammar.Text.quoted}
SECRET = "s3cr3t-0123456789"


def check(data: bytes) -> None:
    """Take these bytes for headers of all kinds."""
    recipe = Recipe(data)
    start = recipe.byte()
    # As they come from the network.
    header = recipe.rest().decode("ascii", "surrogateescape")
    headers = find_builds()[-1].module("headers")
    for name, read in LISTS.items():
        expected = _try(lambda read=read: grammar.read_list(header, read))
        found = _try(lambda name=name: getattr(headers, f"parse_{name}")(header))
        _compare(name, header, expected, found)
    _check_pieces(headers, header, start % (len(header) + 1))
    _check_builders(headers, header)
    _check_basic(headers, header)
    _check_secrets(headers, header)


def exercise(data: bytes) -> None:
    """Have all parsers read this."""
    header = data.decode("ascii", "surrogateescape")
    headers = find_builds()[-1].module("headers")
    for name in LISTS:
        _try(lambda name=name: getattr(headers, f"parse_{name}")(header))
    _try(lambda: headers.parse_authorization_basic(header))
    for name in "Authorization", "Cookie", "Set-Cookie":
        headers.loggable_value(name, header)


def _try(function: Any) -> Any:
    """Return what a function returns; None if it says that a header is wrong."""
    try:
        return function()
    except ValueError:
        return None
    except Exception as exc:
        if type(exc).__name__ not in ERRORS:
            raise
        assert str(exc)
        return None


def _compare(name: str, header: str, expected: Any, found: Any) -> None:
    assert found == expected, f"{name}: {header!r}: {expected!r}, {found!r}"


def _check_pieces(headers: Any, header: str, start: int) -> None:
    for name, read in PIECES.items():
        text = grammar.Text(header)
        text.pos = start
        expected = _try(lambda read=read, text=text: (read(text), text.pos))
        parse = getattr(headers, f"parse_{name}")
        found = _try(lambda parse=parse: parse(header, start, "X"))
        _compare(name, header, expected, found)
    end = headers.parse_OWS(header, start)
    assert header[start:end].strip(" \t") == "" and header[end : end + 1] not in (
        " ",
        "\t",
    )
    token = _try(lambda: headers.parse_token68(header, start, "X"))
    assert token is None or token[0] == header[start : token[1]] != ""


def _check_builders(headers: Any, header: str) -> None:
    for name in "extension", "subprotocol":
        parse, build = (
            getattr(headers, f"{verb}_{name}") for verb in ("parse", "build")
        )
        if parsed := _try(lambda parse=parse: parse(header)):
            assert parse(build(parsed)) == parsed
    try:
        quoted = headers.build_quoted_string(header)
    except ValueError:
        assert not all(
            c == "\t" or " " <= c <= "~" or grammar.is_obs(c) for c in header
        )
    else:
        assert headers.parse_quoted_string(quoted, 0, "X") == (header, len(quoted))
        challenge = headers.build_www_authenticate_basic(header)
        ((scheme, _), *_) = [headers.parse_token(challenge, 0, "X")]
        assert scheme == "Basic"


def _check_basic(headers: Any, header: str) -> None:
    if credentials := _try(lambda: headers.parse_authorization_basic(header)):
        built = headers.build_authorization_basic(*credentials)
        assert headers.parse_authorization_basic(built) == credentials
    username, _, password = header.partition(":")
    built = headers.build_authorization_basic(username, password)
    expected = (username, password)
    if all(map(str.isascii, expected)):
        assert headers.parse_authorization_basic(built) == expected
    else:
        # A byte that isn't UTF-8 goes out as it is, and isn't accepted.
        _try(lambda: headers.parse_authorization_basic(built))


def _check_secrets(headers: Any, header: str) -> None:
    if "s3cr3t" in header or "0123" in header:
        return
    for name in "authorization", "Proxy-Authorization":
        shown = headers.loggable_value(name, f"{header} {SECRET}")
        assert SECRET not in shown, shown
        if " " not in header:
            # Else it takes the secret for the scheme.
            assert SECRET not in headers.loggable_value(name, SECRET + header)
    for name in "Cookie", "set-cookie":
        shown = headers.loggable_value(name, f"a={SECRET}{header}")
        assert SECRET not in shown, shown
