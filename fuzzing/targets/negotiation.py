"""Negotiating compression: offers and answers of all kinds."""

from __future__ import annotations

from typing import Any

from ..builds import find_builds
from ..recipe import Recipe

ERRORS = (
    "DuplicateParameter",
    "InvalidHeaderFormat",
    "InvalidParameterName",
    "InvalidParameterValue",
    "NegotiationError",
)


def check(data: bytes) -> None:
    """Have two factories agree, or one of them read anything."""
    recipe = Recipe(data)
    build = find_builds()[-1]
    deflate = build.module("extensions.permessage_deflate")
    client = _make_client(deflate, recipe)
    server = _make_server(deflate, recipe)
    _check_agreement(build.module("headers"), client, server)
    header = recipe.rest().decode("ascii", "surrogateescape")
    for params in _read(build.module("headers"), header):
        if answered := _try(
            lambda params=params: server.process_request_params(params, [])
        ):
            _check_answer(deflate, params, *answered)
        _try(lambda params=params: client.process_response_params(params, []))


def exercise(data: bytes) -> None:
    """Have a server read an offer."""
    build = find_builds()[-1]
    deflate = build.module("extensions.permessage_deflate")
    server = deflate.ServerPerMessageDeflateFactory()
    header = data.decode("ascii", "surrogateescape")
    for params in _read(build.module("headers"), header):
        _try(lambda params=params: server.process_request_params(params, []))


def _try(function: Any) -> Any:
    try:
        return function()
    except Exception as exc:
        if type(exc).__name__ not in ERRORS:
            raise
        assert str(exc)
        return None


def _read(headers: Any, header: str) -> list[Any]:
    return [params for _, params in _try(lambda: headers.parse_extension(header)) or []]


def _choose_bits(recipe: Recipe) -> int | None:
    value = recipe.byte() % 9
    return 7 + value if value else None


def _make_client(deflate: Any, recipe: Recipe) -> Any:
    flags, server_bits, client_bits = recipe.byte(), _choose_bits(recipe), None
    if flags & 4:
        client_bits = _choose_bits(recipe) or True
    return deflate.ClientPerMessageDeflateFactory(
        bool(flags & 1), bool(flags & 2), server_bits, client_bits
    )


def _make_server(deflate: Any, recipe: Recipe) -> Any:
    flags, server_bits = recipe.byte(), _choose_bits(recipe)
    client_bits = _choose_bits(recipe)
    return deflate.ServerPerMessageDeflateFactory(
        bool(flags & 1),
        bool(flags & 2),
        server_bits,
        client_bits,
        require_client_max_window_bits=bool(flags & 4 and client_bits),
    )


def _check_agreement(headers: Any, client: Any, server: Any) -> None:
    """What two of ours agree on, through headers, must fit together."""
    offer = headers.build_extension(
        [("permessage-deflate", client.get_request_params())]
    )
    [params] = _read(headers, offer)
    answered = _try(lambda: server.process_request_params(params, []))
    if answered is None:
        # Only if it has to have what the client doesn't offer.
        assert server.require_client_max_window_bits
        assert client.client_max_window_bits is None
        return
    answer, ours = answered
    [params] = _read(headers, headers.build_extension([("permessage-deflate", answer)]))
    theirs = client.process_response_params(params, [])
    for one, other in (ours, theirs), (theirs, ours):
        # Nobody reaches back farther than the other remembers, or remembers less.
        assert one.local_max_window_bits <= other.remote_max_window_bits
        if other.remote_no_context_takeover:
            assert one.local_no_context_takeover


def _check_answer(deflate: Any, params: Any, answer: Any, extension: Any) -> None:
    """An answer grants no less than was asked for (RFC 7692, 7.1)."""
    offered, granted = dict(params), dict(answer)
    for name in "server_no_context_takeover", "server_max_window_bits":
        assert name not in offered or name in granted
    if "server_max_window_bits" in offered:
        assert int(granted["server_max_window_bits"]) <= int(
            offered["server_max_window_bits"]
        )
    assert (
        "client_max_window_bits" in offered or "client_max_window_bits" not in granted
    )
    assert extension.local_max_window_bits <= int(
        granted.get("server_max_window_bits") or 15
    )
