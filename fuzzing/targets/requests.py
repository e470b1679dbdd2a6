"""Handshake requests: the reader, and what a server does with them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..builds import Build, find_builds
from ..recipe import Recipe, cut, same

ALLOWED = {
    "EOFError",
    "HeaderLineTooLong",
    "InvalidMethod",
    "InvalidProtocol",
    "RequestLineTooLong",
    "SecurityError",
    "StatusLineTooLong",
    "TooManyHeaders",
    "ValueError",
}
SIZES = (None, None, 100, 1000)


def check(data: bytes) -> None:
    """Read a request from these bytes, and answer it."""
    recipe = Recipe(data)
    pattern, size = recipe.byte(), recipe.choose(SIZES)
    stream = recipe.rest()
    build = find_builds()[-1]
    whole = read(build, "request", [stream], size)
    results = [("whole", whole)]
    patterns = choose_patterns(stream, pattern)
    for cuts in patterns:
        results.append((f"cut {cuts}", read(build, "request", cut(stream, cuts), size)))
    if size is None:
        found = _read_with_generators(build, stream)
        # Whoever reads lines may find another error first.
        other = whole if whole[0] == found[0] == "error" else found
        results.append(("generators", other))
    same([(name, blur(result)) for name, result in results])
    if whole[0] != "error":
        _check_round_trip(build, whole)
    served = [
        (f"{build.name}, cut {cuts}", _serve(build, cut(stream, cuts)))
        for build in find_builds()
        for cuts in (0, *patterns)
    ]
    same(served)


def choose_patterns(stream: bytes, pattern: int) -> list[int]:
    """Return how to cut a stream: byte by byte, too, if it isn't long."""
    return [pattern + 2, 1] if len(stream) < 800 else [pattern + 2]


def exercise(data: bytes) -> None:
    """Read a request whole and byte by byte."""
    stream = data[2:]
    for cuts in 0, 1:
        read(find_builds()[0], "request", cut(stream, cuts), 10**9)
        _serve(find_builds()[0], cut(stream, cuts))


def read(
    build: Build, kind: str, pieces: Iterable[bytes], size: int | None, **options: Any
) -> tuple[Any, ...]:
    """Read a message; return its parts and what follows, or the error."""
    reader = build.module("http11").HandshakeReader(size)
    message = None
    try:
        for piece in pieces:
            if message is None:
                reader.feed(piece)
                message = getattr(reader, f"read_{kind}")(**options)
            else:
                reader.feed(piece)
        if message is None:
            reader.feed_eof()
            message = getattr(reader, f"read_{kind}")(**options)
    except Exception as exc:
        name = type(exc).__name__
        if name not in ALLOWED:
            raise
        assert str(exc).isprintable()
        return ("error", name, str(exc))
    assert message is not None
    return (show(build, message), reader.take_rest())


def show(build: Build, message: Any) -> tuple[Any, ...]:
    """Return what a request or a response says."""
    headers = message.headers
    items = list(headers.raw_items())
    # What idle connections do to save memory.
    build.module("datastructures").pack(headers)
    assert list(headers.raw_items()) == items
    if hasattr(message, "path"):
        return (message.method, message.path, message.protocol, items)
    return (message.status_code, message.reason_phrase, items, message.body)


def blur(result: tuple[Any, ...]) -> tuple[Any, ...]:
    """Leave out the text of errors, which says how much had come."""
    return result[:2] if result[0] == "error" else result


def finish(generator: Any) -> Any:
    """Run a generator that reads from a stream which has ended."""
    try:
        next(generator)
    except StopIteration as exc:
        return exc.value
    raise AssertionError("it waits for more than there is")


def _read_with_generators(build: Build, stream: bytes) -> tuple[Any, ...]:
    reader = build.module("streams").StreamReader()
    reader.feed_data(stream)
    reader.feed_eof()
    request = build.module("http11").Request
    try:
        message = finish(request.parse(reader.read_line))
        rest = finish(reader.read_to_eof())
    except Exception as exc:
        name = type(exc).__name__
        if name not in ALLOWED:
            raise
        return ("error", name, str(exc))
    return (show(build, message), bytes(rest))


def _check_round_trip(build: Build, whole: tuple[Any, ...]) -> None:
    """Write what was read, and read it again."""
    (method, path, protocol, items), _ = whole
    headers = build.module("datastructures").Headers(items)
    request = build.module("http11").Request(path, headers, method, protocol)
    again = read(build, "request", [request.serialize()], 10**9)
    assert again == ((method, path, protocol, items), b"")


# --- A server -------------------------------------------------------------------


def make_server(build: Build) -> Any:
    """Make a server that can do something."""
    deflate = build.module("extensions.permessage_deflate")
    return build.module("server").ServerProtocol(
        extensions=[deflate.ServerPerMessageDeflateFactory(client_max_window_bits=12)],
        subprotocols=["chat", "mail"],
        select_subprotocol=lambda protocol, offered: offered[0] if offered else None,
        origins=["https://example.com", None],
    )


def _serve(build: Build, pieces: Iterable[bytes]) -> Any:
    """Return what a server does."""
    server = make_server(build)
    events: list[Any] = []
    response = None
    for piece in pieces:
        server.receive_data(piece)
        for event in server.events_received():
            if hasattr(event, "path"):
                response = server.accept(event)
                # RFC 9110: 500 is for errors of ours.
                assert response.status_code < 500 or response.status_code == 505
                server.send_response(response)
                events += map(see_frame, server.events_received())
            else:
                events.append(see_frame(event))
    server.receive_eof()
    exc = server.handshake_exc
    assert exc is None or isinstance(
        exc, build.module("exceptions").InvalidHandshake
    ), exc
    answer = _see_answer(build, server)
    return (events, answer, type(exc).__name__, server.state.name, server.subprotocol)


def see_frame(frame: Any) -> tuple[Any, ...]:
    """Return what a frame is."""
    return (int(frame.opcode), frame.fin, bytes(frame.data))


def _see_answer(build: Build, server: Any) -> Any:
    """Read what the server has written; its texts and dates may differ."""
    writes = server.data_to_send()
    assert writes[-1] == b"" and b"" not in writes[:-1]
    written = b"".join(writes)
    if not written:
        # It broke off before the end of the head.
        return None
    (status, reason, items, _), rest = read(build, "response", [written], None)
    names = [name for name, _ in items]
    assert names.count("Date") == names.count("Connection") == 1
    if status == 101:
        return (status, [item for item in items if item[0] != "Date"], _codes(rest))
    assert rest == b"" and names.count("Content-Length") == 1
    return (status, reason, names)


def _codes(data: bytes) -> list[bytes]:
    """Split frames that a server writes; reasons of close frames are left out."""
    frames = []
    while data:
        size, at = data[1], 2
        if size > 125:
            at = 4
            size = int.from_bytes(data[2:4], "big")
        frames.append(data[: 4 if data[0] == 0x88 else at + size])
        data = data[at + size :]
    return frames
