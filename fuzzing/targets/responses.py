"""Handshake responses: the reader, and what a client does with them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..builds import Build, find_builds
from ..recipe import Recipe, cut, same
from .requests import ALLOWED, blur, choose_patterns, finish, read, see_frame, show

#: The example in RFC 6455, 1.3.
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
SIZES = (None, None, 100, 1000)


def check(data: bytes) -> None:
    """Read a response from these bytes, and judge it."""
    recipe = Recipe(data)
    pattern, flags = recipe.byte(), recipe.byte()
    size, proxy = SIZES[flags >> 1 & 3], bool(flags & 1)
    stream = recipe.rest()
    build = find_builds()[-1]
    whole = read(build, "response", [stream], size, proxy=proxy)
    results = [("whole", whole)]
    patterns = choose_patterns(stream, pattern)
    for cuts in patterns:
        found = read(build, "response", cut(stream, cuts), size, proxy=proxy)
        results.append((f"cut {cuts}", found))
    if size is None:
        found = _read_with_generators(build, stream, proxy)
        # Whoever reads lines may find another error first.
        other = whole if whole[0] == found[0] == "error" else found
        results.append(("generators", other))
    same([(name, blur(result)) for name, result in results])
    if whole[0] != "error":
        _check_round_trip(build, whole, proxy)
    same(
        [
            (f"{build.name}, cut {cuts}", _connect(build, cut(stream, cuts)))
            for build in find_builds()
            for cuts in (0, *patterns)
        ]
    )


def exercise(data: bytes) -> None:
    """Read a response whole and byte by byte."""
    stream = data[2:]
    for cuts in 0, 1:
        read(find_builds()[0], "response", cut(stream, cuts), 10**9)
        _connect(find_builds()[0], cut(stream, cuts))


def _read_with_generators(build: Build, stream: bytes, proxy: bool) -> Any:
    reader = build.module("streams").StreamReader()
    reader.feed_data(stream)
    reader.feed_eof()
    parse = build.module("http11").Response.parse
    reading = parse(reader.read_line, reader.read_exact, reader.read_to_eof, proxy)
    try:
        message = finish(reading)
        rest = finish(reader.read_to_eof())
    except Exception as exc:
        name = type(exc).__name__
        if name not in ALLOWED:
            raise
        return ("error", name, str(exc))
    return (show(build, message), bytes(rest))


def _check_round_trip(build: Build, whole: tuple[Any, ...], proxy: bool) -> None:
    """Write what was read, with a body of known length, and read it again."""
    (status, reason, items, body), _ = whole
    lower = {name.lower() for name, _ in items}
    headers = build.module("datastructures").Headers(items)
    chunked = "transfer-encoding" in lower
    if (body or chunked) and "content-length" not in lower:
        if chunked:
            del headers["Transfer-Encoding"]
        headers["Content-Length"] = str(len(body or b""))
    response = build.module("http11").Response(status, reason, headers, body)
    again = read(build, "response", [response.serialize()], 10**9, proxy=proxy)
    assert again == ((status, reason, list(headers.raw_items()), body), b""), again


def _connect(build: Build, pieces: Iterable[bytes]) -> Any:
    """Return what a client does."""
    deflate = build.module("extensions.permessage_deflate")
    client = build.module("client").ClientProtocol(
        "wss://example.com/",
        extensions=[deflate.ClientPerMessageDeflateFactory()],
        subprotocols=["chat", "mail"],
    )
    client.key = KEY
    client.send_request(client.connect())
    client.data_to_send()
    events: list[Any] = []
    for piece in pieces:
        client.receive_data(piece)
        events += client.events_received()
    client.receive_eof()
    events += client.events_received()
    exc, name = client.handshake_exc, ""
    if exc is not None:
        assert isinstance(exc, build.module("exceptions").InvalidHandshake), exc
        name = type(exc).__name__
        if name == "InvalidMessage":
            assert type(exc.__cause__).__name__ in ALLOWED
            name += type(exc.__cause__).__name__
    seen = [
        see_frame(event) if hasattr(event, "opcode") else show(build, event)
        for event in events
    ]
    writes = client.data_to_send()
    assert writes[-1] == b"" and b"" not in writes[:-1]
    kinds = [write[0] for write in writes[:-1]]
    return (seen, name, client.state.name, client.subprotocol, kinds)
