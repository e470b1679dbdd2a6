"""Connections: what a ``Protocol`` and a ``Session`` do, on all builds, as the model.

The input is a play: what the peer sends, in frames or as anything, and what our side
does meanwhile. It is played with the bytes in several kinds of pieces.
"""

from __future__ import annotations

import zlib
from typing import Any, NamedTuple

from ..builds import Build, find_builds
from ..model import END, Connection, Inflater, Rules, UnclearError
from ..recipe import Recipe, cut, same

#: How many frames a message may have: ``reader.MAX_FRAGMENTS``.
MAX_FRAGMENTS = 4096
LIMITS = (2**20, None, 0, 10, 125, 300, 5000, 2**63)
#: Bytes that are received in a play; three of its own can stand for 76,800.
_LARGEST = 2**21
CODES = (None, 1000, 1001, 1005, 1006, 1011, 999, 3000, 4999, 5000, 1015, 1012)

Step = tuple[Any, ...]


class Setting(NamedTuple):
    """What a connection is like."""

    server: bool
    max_size: int | None
    max_frame_size: int | None
    deflate: tuple[bool, bool, int, int] | None


class Play(NamedTuple):
    """A connection and what happens to it."""

    setting: Setting
    steps: list[Step]


def check(data: bytes) -> None:
    """Play what these bytes say; see the module."""
    recipe = Recipe(data)
    pattern = recipe.byte()
    play = write_play(recipe)
    try:
        expected = _play_model(play)
    except UnclearError:
        expected = None
    ways = {"as it comes": None, "in pieces": pattern + 2}
    if sum(len(step[1]) for step in play.steps if step[0] == "receive") < 1500:
        ways["byte by byte"] = 1
    for name, cuts in ways.items():
        found = same(
            [
                (f"{build.name} {name}", _play_protocol(build, play, cuts))
                for build in find_builds()
            ]
        )
        if expected is not None:
            same([("model", expected), (name, _without_texts(found))])
    for cuts in 0, pattern + 2:
        messages = same(
            [(build.name, _play_session(build, play, cuts)) for build in find_builds()]
        )
        if expected is not None:
            same([("model", _list_messages(expected)), ("session", messages)])


def exercise(data: bytes) -> None:
    """Do the same as fast as it goes, whole and byte by byte."""
    recipe = Recipe(data)
    recipe.byte()
    play = write_play(recipe)
    for cuts in None, 1:
        _play_protocol(find_builds()[0], play, cuts)


# --- Plays ----------------------------------------------------------------------


def write_play(recipe: Recipe) -> Play:
    """Turn bytes into a play."""
    flags = recipe.byte()
    sizes = recipe.byte()
    deflate = None
    if flags & 2:
        bits = recipe.byte()
        deflate = (
            bool(flags & 4),
            bool(flags & 8),
            8 + (bits & 7) if flags & 16 else 15,
            8 + (bits >> 4 & 7) if flags & 16 else 15,
        )
    setting = Setting(
        bool(flags & 1), LIMITS[sizes & 7], LIMITS[sizes >> 4 & 7], deflate
    )
    writer = _Writer(recipe, setting)
    steps: list[Step] = []
    parts: list[bytes] = []
    size = 0
    while recipe and len(steps) < 400 and size < _LARGEST:
        step = writer.write()
        if step[0] == "receive":
            # What is received in a row is received at once.
            parts.append(step[1])
            size += len(step[1])
            continue
        if parts:
            steps.append(("receive", b"".join(parts)))
            parts = []
        steps.append(step)
    if parts:
        steps.append(("receive", b"".join(parts)))
    return Play(setting, steps)


class _Writer:
    """Writes the steps of a play."""

    def __init__(self, recipe: Recipe, setting: Setting) -> None:
        self.recipe = recipe
        self.setting = setting
        self.deflater = zlib.compressobj(wbits=-9)

    def write(self) -> Step:
        """Return the next step."""
        kind = self.recipe.byte()
        if kind < 128:
            return ("receive", self._frame(kind))
        if kind < 160:
            return ("receive", self.recipe.take(kind - 127))
        writers = (
            self._send_data,
            self._send_control,
            self._send_close,
            self._fail,
            self._set,
        )
        return writers[kind % 5]()

    def _frame(self, kind: int) -> bytes:
        """Write a frame; the kind says how its length is written, and so on."""
        first = self.recipe.byte()
        payload = self._payload()
        if kind & 1 and self.setting.deflate:
            payload = self.deflater.compress(payload)
            payload += self.deflater.flush(zlib.Z_SYNC_FLUSH)
            if first & 0x80:
                payload = payload[:-4]
        form = kind >> 1 & 3
        size = len(payload)
        if form == 3 or size > 65535:
            head = bytes([127]) + size.to_bytes(8, "big")
        elif form == 2 or size > 125:
            head = bytes([126]) + size.to_bytes(2, "big")
        else:
            head = bytes([size])
        masked = self.setting.server ^ (kind >> 3 == 15)
        if not masked:
            return bytes([first]) + head + payload
        # The key 0 leaves a text readable to whoever changes it.
        key = self.recipe.take(4).ljust(4, b"\0") if kind & 64 else bytes(4)
        payload = bytes(byte ^ key[i % 4] for i, byte in enumerate(payload))
        return bytes([first, head[0] | 128]) + head[1:] + key + payload

    def _payload(self) -> bytes:
        size = self.recipe.byte()
        if size < 128:
            return self.recipe.take(size)
        return self.recipe.take(1) * (size - 127) * self.recipe.choose((1, 2, 30, 600))

    def _send_data(self) -> Step:
        flags = self.recipe.byte()
        return ("send", flags % 3, self._payload(), bool(flags & 64))

    def _send_control(self) -> Step:
        return ("control", 9 + self.recipe.byte() % 2, self._payload())

    def _send_close(self) -> Step:
        code = self.recipe.choose(CODES)
        return ("close", code, self._payload().decode("latin-1"))

    def _fail(self) -> Step:
        return ("fail", self.recipe.choose(CODES[1:]))

    def _set(self) -> Step:
        what = self.recipe.byte() % 8
        if what < 4:
            return (("hold",), ("release",), ("end",), ("receive end",))[what]
        return ("limit", self.recipe.choose(LIMITS))


# --- The model ------------------------------------------------------------------


def _play_model(play: Play) -> list[Any]:
    setting = play.setting
    inflater = None if setting.deflate is None else Inflater(setting.deflate[0])
    rules = Rules(
        masked=setting.server,
        max_size=setting.max_size,
        max_frame_size=setting.max_frame_size,
        max_fragments=MAX_FRAGMENTS,
        reserved=0x40 if inflater else 0,
    )
    model = Connection(setting.server, rules, inflater)
    seen = []
    for step in play.steps:
        refused = _step_model(model, step)
        seen.append((refused, *_see_model(model)))
        model.events, model.output = [], []
    return seen


def _step_model(model: Connection, step: Step) -> str:
    match step:
        case ("receive", data):
            model.receive(data)
        case ("send", opcode, payload, fin):
            return model.send_data(opcode, payload, fin)
        case ("control", opcode, payload):
            return model.send_control(opcode, payload)
        case ("close", code, reason):
            return model.send_close(code, reason)
        case ("fail", code):
            return model.fail(code)
        case ("limit", size):
            model.frames.rules = model.frames.rules._replace(max_size=size)
        case ("hold",):
            model.holding = True
        case ("release",):
            model.release()
        case ("end",):
            model.end()
        case ("receive end",):
            model.receive_end()
    return ""


def _see_model(model: Connection) -> Step:
    state = (model.state, model.received, model.sent, model.received_first)
    return (state, model.fault, model.events, model.output)


# --- The library ----------------------------------------------------------------


def make_protocol(build: Build, setting: Setting) -> Any:
    """Make a connection that is open."""
    protocols = build.module("protocol")
    side = protocols.Side.SERVER if setting.server else protocols.Side.CLIENT
    sizes = (setting.max_size, setting.max_frame_size)
    protocol = protocols.Protocol(side, max_size=sizes)
    if setting.deflate is not None:
        deflate = build.module("extensions.permessage_deflate").PerMessageDeflate
        protocol.use_extensions([deflate(*setting.deflate)])
    return protocol


def _play_protocol(build: Build, play: Play, cuts: int | None) -> list[Any]:
    protocol = make_protocol(build, play.setting)
    output = _Output(play.setting)
    seen = []
    for step in play.steps:
        refused = ""
        if step[0] == "receive":
            for piece in cut(step[1], cuts or 0):
                protocol.receive_data(piece)
        else:
            refused = _step_protocol(protocol, step)
        seen.append((refused, *_see_protocol(protocol, output, cuts is None)))
    return seen


def _step_protocol(protocol: Any, step: Step) -> str:
    try:
        match step:
            case ("send", opcode, payload, fin):
                senders = ("continuation", "text", "binary")
                getattr(protocol, f"send_{senders[opcode]}")(payload, fin)
            case ("control", 9, payload):
                protocol.send_ping(payload)
            case ("control", _, payload):
                protocol.send_pong(payload)
            case ("close", code, reason):
                protocol.send_close(code, reason)
            case ("fail", code):
                protocol.fail(code)
            case ("limit", size):
                protocol.max_size = size
            case ("hold",):
                protocol.hold_pongs = True
            case ("release",):
                protocol.release_pong()
            case ("end",):
                protocol.send_eof()
            case ("receive end",):
                protocol.receive_eof()
    except Exception as exc:
        return {"InvalidState": "state", "ProtocolError": "rules"}[type(exc).__name__]
    return ""


FAULTS = {
    "PayloadTooBig": 1009,
    "ProtocolError": 1002,
    "TooManyFragments": 1009,
    "UnicodeDecodeError": 1007,
    "EOFError": None,
    "NoneType": None,
}


def _see_protocol(protocol: Any, output: _Output, whole: bool) -> Step:
    """Say what a connection is like; texts that depend on pieces only if it's whole."""
    state = int(protocol.state)
    received = protocol.close_rcvd and (
        int(protocol.close_rcvd.code),
        protocol.close_rcvd.reason,
    )
    sent = protocol.close_sent and int(protocol.close_sent.code)
    exc = protocol.parser_exc
    fault = FAULTS[type(exc).__name__]
    events = [
        (int(frame.opcode), frame.fin, bytes(frame.data))
        for frame in protocol.events_received()
    ]
    first = protocol.close_rcvd_then_sent
    _check_closing(protocol)
    written = output.read(protocol)
    # What a character stands at depends on what came before it in the piece.
    text = (str(exc), output.reason) if whole else None
    return ((state, received, sent, first), fault, events, written, text)


def _check_closing(protocol: Any) -> None:
    """Check what must hold whatever has happened."""
    state = protocol.state.name
    assert protocol.close_expected() is (state != "OPEN")
    if state == "CLOSED":
        assert protocol.eof_sent and protocol.discarding
        assert type(protocol.close_exc).__name__.startswith("ConnectionClosed")
        assert protocol.close_code == (
            1006 if protocol.close_rcvd is None else protocol.close_rcvd.code
        )
    else:
        assert protocol.close_code is None
    assert str(protocol.closing_exc())
    if protocol.discarding:
        assert protocol.reader.unread == 0


def _without_texts(seen: list[Any]) -> list[Any]:
    return [step[:-1] for step in seen]


class _Output:
    """Reads what a connection writes, and undoes what was done to it."""

    def __init__(self, setting: Setting) -> None:
        self.masked = not setting.server
        self.compressed = False
        self.reason = ""
        deflate = setting.deflate
        self.inflater = None if deflate is None else Inflater(deflate[1])

    def read(self, protocol: Any) -> list[tuple[int, bool, bytes]]:
        """Return what was written since the last time, as the model has it."""
        unsent, writes = protocol.unsent, protocol.data_to_send()
        if b"" in writes:
            assert writes.index(b"") == len(writes) - 1 and protocol.eof_sent
        data = b"".join(writes)
        assert len(data) <= unsent
        # An answer has the reason that it answers, be it in the middle of a message.
        failed = protocol.parser_exc is not None and protocol.close_rcvd is None
        frames = []
        while data:
            first, payload, data = self._split(data)
            frames.append(self._undo(first, payload, failed))
        return [*frames, END] if b"" in writes else frames

    def _split(self, data: bytes) -> tuple[int, bytes, bytes]:
        first, size, at = data[0], data[1] % 128, 2
        assert (data[1] >= 128) is self.masked
        if size > 125:
            at = 4 if size == 126 else 10
            size = int.from_bytes(data[2:at], "big")
            # RFC 6455, 5.2: the shortest form.
            assert size > (125 if at == 4 else 65535)
        key = bytes(4)
        if self.masked:
            key = data[at : at + 4]
            at += 4
        payload, rest = data[at : at + size], data[at + size :]
        assert len(payload) == size
        return first, bytes(b ^ key[i % 4] for i, b in enumerate(payload)), rest

    def _undo(
        self, first: int, payload: bytes, failed: bool
    ) -> tuple[int, bool, bytes]:
        opcode, fin = first % 16, first >= 128
        if opcode >= 8:
            assert first & 0x70 == 0 and fin and len(payload) < 126
            if opcode == 8 and failed:
                # The reason is ours; that it is text is enough.
                self.reason = payload[2:].decode()
                payload = payload[:2]
            return opcode, fin, payload
        if opcode:
            self.compressed = bool(first & 0x40)
            assert not self.compressed or self.inflater is not None
        else:
            assert first & 0x70 == 0
        if self.compressed:
            assert self.inflater is not None
            payload = self.inflater.inflate(payload, fin, None)
        return opcode, fin, payload


# --- Sessions -------------------------------------------------------------------


def _play_session(build: Build, play: Play, cuts: int) -> list[str | bytes]:
    """Return the messages that a session receives."""
    protocol = make_protocol(build, play.setting)
    protocol.emits_frames = False
    sessions = build.module("session.session")
    inbox = build.module("session.inbox").Inbox(None, max_bytes=2**40)
    session = sessions.Session(
        protocol, inbox, build.module("session.clock").Clock(None)
    )
    buffer = bytearray(2**14)
    for step in play.steps:
        if step[0] == "receive":
            for piece in cut(step[1], cuts):
                for start in range(0, len(piece), len(buffer)):
                    part = piece[start : start + len(buffer)]
                    buffer[: len(part)] = part
                    session.receive(buffer, len(part))
        elif step[0] == "receive end":
            session.receive_eof()
        else:
            _step_protocol(protocol, step)
        _Output(play.setting).read(protocol) if not play.setting.deflate else None
    return [
        message if type(message) in (str, bytes) else message.join()
        for message in inbox.messages
    ]


def _list_messages(seen: list[Any]) -> list[str | bytes]:
    """Return the messages that are in the model's events."""
    messages: list[str | bytes] = []
    for _, _, _, events, _ in seen:
        for opcode, fin, payload in events:
            if opcode >= 8:
                continue
            if opcode:
                kind, content = opcode, b""
            content += payload
            if fin:
                messages.append(content.decode() if kind == 1 else content)
    return messages
