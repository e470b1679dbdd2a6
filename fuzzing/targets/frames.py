"""Frames: the reader, fed in any way, on all builds, against the model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..builds import Build, find_builds
from ..model import Fault, Frames, Got, Rules
from ..recipe import Recipe, cut, same

ALLOWED = ("PayloadTooBig", "ProtocolError", "TooManyFragments", "UnicodeDecodeError")
LIMITS = (None, 0, 7, 125, 1000, 70_000, 2**63 - 1, 2**64)
FRAGMENTS = (None, 1, 3, 100)

_CODES = {
    "PayloadTooBig": 1009,
    "ProtocolError": 1002,
    "TooManyFragments": 1009,
    "UnicodeDecodeError": 1007,
}


def check(data: bytes) -> None:
    """Read frames from these bytes; see the module."""
    recipe = Recipe(data)
    rules = _choose_rules(recipe)
    pattern = recipe.byte()
    stream = recipe.rest()
    expected = _read_with_model(rules, stream)
    for name, feeding in _feedings(stream, pattern):
        found = same(
            [(build.name, _read(build, rules, feeding)) for build in find_builds()]
        )
        frames, end = found
        end = _CODES[end[0]] if type(end) is tuple else None
        same([("model", expected), (name, (frames, end))])


def exercise(data: bytes) -> None:
    """Read frames as fast as it goes, whole and byte by byte."""
    recipe = Recipe(data)
    rules, _ = _choose_rules(recipe), recipe.byte()
    stream = recipe.rest()
    for feeding in ("whole", [stream]), ("pieces", cut(stream, 1)):
        _read(find_builds()[0], rules, feeding)


def _choose_rules(recipe: Recipe) -> Rules:
    flags, sizes, fragments = recipe.byte(), recipe.byte(), recipe.byte()
    return Rules(
        masked=bool(flags & 1),
        max_size=LIMITS[sizes % 8],
        max_frame_size=LIMITS[sizes // 8 % 8],
        max_fragments=FRAGMENTS[fragments % 4],
        reserved=(0, 0x40, 0x70)[flags // 2 % 3],
    )


Feeding = tuple[str, list[bytes]]


def _feedings(stream: bytes, pattern: int) -> Iterator[tuple[str, Feeding]]:
    yield "whole", ("whole", [stream])
    if len(stream) < 5000:
        yield "byte by byte", ("pieces", cut(stream, 1))
    pieces = cut(stream, pattern + 2)
    yield "in pieces", ("pieces", pieces)
    yield "in place", ("in place", pieces)
    yield "into its room", ("room", pieces)
    if len(stream) < 5000:
        yield "as asked", ("asked", [stream])


def _read_with_model(rules: Rules, stream: bytes) -> tuple[list[Any], Any]:
    model = Frames(rules)
    model.data = stream
    frames: list[Any] = []
    try:
        while (got := model.next()) is not None:
            if got.opcode < 8:
                if got.opcode:
                    kind = got.opcode
                if model.encoded:
                    model.size += len(got.payload)
                elif kind == 1:
                    got = got._replace(payload=_take_text(model, got))
            frames.append(tuple(got))
    except Fault as fault:
        return frames, fault.args[0]
    return frames, None


def _take_text(model: Frames, got: Got) -> bytes:
    """Return the characters that are complete with this frame."""
    before = _characters(model.text)
    model.add_text(got.payload, got.fin)
    return _characters(model.text)[len(before) :]


def _characters(text: bytes) -> bytes:
    return text.decode(errors="ignore").encode()


class _Reading:
    """Reads from a build's reader, and notes what it reads."""

    def __init__(self, build: Build, rules: Rules) -> None:
        options = rules._asdict()
        reserved = options.pop("reserved")
        self.reader = build.module("reader").FrameReader(**options)
        self.reader.allow_reserved(reserved)
        self.frames: list[Any] = []

    def read(self) -> int:
        """Read what is complete; return how many frames that are."""
        before = len(self.frames)
        reader = self.reader
        while reader.read_frame():
            if reader.opcode < 8 and not reader.message_reserved:
                payload = self._take_plain()
            else:
                payload = reader.take_bytes()
                if reader.opcode < 8:
                    reader.count(len(payload))
            assert type(payload) is bytes
            self.frames.append((reader.opcode, reader.fin, reader.reserved, payload))
        return len(self.frames) - before

    def _take_plain(self) -> Any:
        if self.reader.message_opcode == 1:
            return self.reader.take_text().encode()
        return self.reader.take_bytes()


def _read(build: Build, rules: Rules, feeding: Feeding) -> tuple[list[Any], Any]:
    reading = _Reading(build, rules)
    how, pieces = feeding
    try:
        _FEEDERS[how](reading, pieces)
    except Exception as exc:
        name = type(exc).__name__
        if name not in ALLOWED:
            raise
        # What a character stands at depends on what came before it in the piece.
        return reading.frames, (name, "" if name.startswith("Uni") else str(exc))
    return reading.frames, reading.reader.unread


def _feed_pieces(reading: _Reading, pieces: list[bytes]) -> None:
    for piece in pieces:
        reading.reader.feed(piece)
        reading.read()
        reading.reader.settle()


def _feed_in_place(reading: _Reading, pieces: list[bytes]) -> None:
    """Feed from one buffer, which is overwritten each time, as the engine does."""
    buffer = bytearray(512)
    for piece in pieces:
        buffer[:] = b"\xaa" * 512
        buffer[: len(piece)] = piece
        reading.reader.feed(buffer, len(piece))
        reading.read()
        reading.reader.settle()


def _feed_room(reading: _Reading, pieces: list[bytes]) -> None:
    """Put bytes where the reader wants them, wherever it says where."""
    reader = reading.reader
    for piece in pieces:
        while piece:
            try:
                room = reader.room()
            except ValueError:
                reader.feed(piece)
                piece = b""
            else:
                size = min(len(piece), len(room), reader.missing())
                room[:size] = piece[:size]
                room.release()
                reader.fill(size)
                piece = piece[size:]
            reading.read()
            reader.settle()


def _feed_asked(reading: _Reading, pieces: list[bytes]) -> None:
    """Feed as many bytes as the reader says it needs at least."""
    (stream,) = pieces
    while stream:
        missing = reading.reader.missing()
        assert missing > 0
        reading.reader.feed(stream[:missing])
        stream = stream[missing:]
        # It asked for no more than one frame.
        assert reading.read() <= 1
        reading.reader.settle()


_FEEDERS = {
    "whole": _feed_pieces,
    "pieces": _feed_pieces,
    "in place": _feed_in_place,
    "room": _feed_room,
    "asked": _feed_asked,
}
