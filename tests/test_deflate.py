"""Compressing messages with several libraries (websockets.extensions.deflate)."""

from __future__ import annotations

import sys
import types
import zlib
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from strict_inflate import StrictInflater
from test_permessage_deflate import LOG, TAIL, fragment, make, noise
from websockets.exceptions import PayloadTooBig, ProtocolError
from websockets.extensions import deflate
from websockets.extensions.deflate import Deflater, backend, find_library, keep_end
from websockets.extensions.permessage_deflate import (
    ClientPerMessageDeflateFactory,
    PerMessageDeflate,
    ServerPerMessageDeflateFactory,
)

OTHERS = ["isal", "zlib-ng"]
LARGE = LOG[:5000]
SMALL = LOG[:200]


class FakeLibrary:
    """zlib in the shape of another library; takes note of what is asked of it.

    Attributes:
        asked: for each deflater, its arguments.
        inflated: for each inflater, its arguments.
        refuses: whether inflaters take everything for an error.

    """

    error = zlib.error

    def __init__(self) -> None:
        self.asked: list[tuple[int, int, bytes]] = []
        self.inflated: list[tuple[int, bytes]] = []
        self.refuses = False

    def decompressobj(self, wbits: int, zdict: Any) -> zlib._Decompress:
        if self.refuses:
            # This one wants a header that isn't there.
            return zlib.decompressobj()
        self.inflated.append((wbits, bytes(zdict)))
        return zlib.decompressobj(wbits=wbits, zdict=zdict)

    def compressobj(
        self, level: int, method: int, wbits: int, zdict: Any = None
    ) -> zlib._Compress:
        self.asked.append((level, wbits, bytes(zdict or b"")))
        arguments = {} if zdict is None else {"zdict": zdict}
        return zlib.compressobj(level=level, method=method, wbits=wbits, **arguments)


@pytest.fixture
def fakes(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, FakeLibrary]]:
    """Have these libraries instead of what is installed."""
    installed: dict[str, FakeLibrary] = {}
    monkeypatch.setattr(deflate, "_load", installed.get)
    monkeypatch.delenv("WEBSOCKETS_DEFLATE", raising=False)
    deflate._find_best.cache_clear()
    yield installed
    deflate._find_best.cache_clear()


@pytest.fixture
def isal(fakes: dict[str, FakeLibrary]) -> FakeLibrary:
    fakes["isal"] = FakeLibrary()
    return fakes["isal"]


@pytest.fixture
def zlib_ng(fakes: dict[str, FakeLibrary]) -> FakeLibrary:
    fakes["zlib-ng"] = FakeLibrary()
    return fakes["zlib-ng"]


@pytest.fixture(params=["fake", *OTHERS])
def library(request: pytest.FixtureRequest) -> str:
    """Give the name of each library in turn: as it is, and a fake one."""
    if request.param == "fake":
        request.getfixturevalue("isal")
        return "isal"
    name: str = request.param
    if deflate._load(name) is None:
        pytest.skip(f"{name} isn't installed")
    return name


# Which library.


@pytest.mark.parametrize("installed", [[], ["isal"], ["zlib-ng"], OTHERS])
def test_the_best_that_is_installed(
    fakes: dict[str, FakeLibrary], installed: list[str]
) -> None:
    fakes.update({name: FakeLibrary() for name in installed})
    best = [*installed, "zlib"][0]
    assert backend() == find_library(None) == find_library("auto") == best
    assert find_library("zlib") == "zlib"
    for name in OTHERS:
        if name in installed:
            assert find_library(name) == name
        else:
            with pytest.raises(ImportError, match=f"^{name} isn't installed"):
                find_library(name)


@pytest.mark.parametrize("name", ["zlib", "isal", "zlib-ng", "auto", ""])
def test_environment_variable(
    fakes: dict[str, FakeLibrary], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    fakes.update({name: FakeLibrary() for name in OTHERS})
    monkeypatch.setenv("WEBSOCKETS_DEFLATE", name)
    expected = "isal" if name in ("auto", "") else name
    assert backend() == expected
    assert PerMessageDeflate(False, False, 15, 15).library == expected
    # What the program says counts more.
    assert find_library("zlib") == "zlib"


def test_unknown_library(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "^the library for deflate can be auto, zlib, isal, zlib-ng; got 'lzma'$"
    with pytest.raises(ValueError, match=text):
        find_library("lzma")
    monkeypatch.setenv("WEBSOCKETS_DEFLATE", "lzma")
    with pytest.raises(ValueError, match=text):
        backend()


def test_importing(monkeypatch: pytest.MonkeyPatch) -> None:
    load = deflate._load.__wrapped__
    module = types.ModuleType("isal.isal_zlib")
    monkeypatch.setitem(sys.modules, "isal", types.ModuleType("isal"))
    monkeypatch.setitem(sys.modules, "isal.isal_zlib", module)
    monkeypatch.setitem(sys.modules, "zlib_ng", None)
    monkeypatch.setitem(sys.modules, "zlib_ng.zlib_ng", None)
    assert load("isal") is module
    assert load("zlib-ng") is None


@pytest.mark.parametrize(
    "factory", [ClientPerMessageDeflateFactory, ServerPerMessageDeflateFactory]
)
def test_factories(isal: FakeLibrary, factory: Any) -> None:
    assert factory().library == "isal"
    chosen = factory(library="zlib")
    assert chosen.library == "zlib"
    with pytest.raises(ValueError, match="library"):
        factory(library="lzma")
    if factory is ClientPerMessageDeflateFactory:
        extension = chosen.process_response_params([], [])
    else:
        _, extension = chosen.process_request_params([], [])
    assert extension.library == "zlib"


# For which messages.


def test_large_messages(isal: FakeLibrary) -> None:
    extension = make(local_bits=12, memLevel=5, library="isal")
    for _ in range(9):
        extension.deflate(LOG[:2047], True)
    assert isal.asked == []
    assert extension.encoder is not None
    extension.deflate(LOG[:2048], True)
    assert isal.asked == [(1, -12, b"")]
    # Its history isn't that of the stream any more.
    assert extension.encoder is None


def test_large_fragments(isal: FakeLibrary) -> None:
    """A message that begins small goes on as it began, and one that begins large."""
    extension = make(library="isal")
    extension.deflate(SMALL, False)
    extension.deflate(LARGE, True)
    assert isal.asked == []
    extension.deflate(LARGE, False)
    extension.deflate(SMALL, False)
    extension.deflate(LARGE, False)
    extension.deflate(b"", True)
    assert len(isal.asked) == 1
    assert extension.encoder is None
    extension.deflate(LARGE, True)
    assert len(isal.asked) == 2
    extension.deflate(SMALL, True)
    assert len(isal.asked) == 2


@pytest.mark.parametrize(
    ("bits", "compress_settings", "serves"),
    [
        (8, {}, False),
        (9, {}, True),
        (15, {"memLevel": 1, "method": 8}, True),
        (15, {"level": -1, "strategy": zlib.Z_DEFAULT_STRATEGY}, True),
        (15, {"level": 6}, False),
        (15, {"level": 0}, False),
        (15, {"strategy": zlib.Z_FILTERED}, False),
    ],
)
def test_settings_that_mean_zlib(
    isal: FakeLibrary, bits: int, compress_settings: dict[str, int], serves: bool
) -> None:
    extension = make(local_bits=bits, library="isal", **compress_settings)
    extension.deflate(LARGE, True)
    assert bool(isal.asked) == serves


# History.


def test_history_goes_on(isal: FakeLibrary) -> None:
    extension = make(local_bits=12, library="isal")
    extension.deflate(LARGE, True)
    extension.deflate(SMALL, True)
    extension.deflate(LARGE, True)
    assert isal.asked[1][2] == (LARGE + SMALL)[-4096:]
    # Zlib's deflater is primed, too.
    without = make(local_bits=12, library="zlib").deflate(noise(100), True)
    assert len(extension.deflate(noise(100), True)) == len(without)
    extension.deflate(noise(2048), True)
    assert len(extension.deflate(noise(100), True)) < 20


def test_history_without_takeover(isal: FakeLibrary) -> None:
    extension = make(local_forgets=True, library="isal")
    payloads = [extension.deflate(LARGE, True) for _ in range(3)]
    assert isal.asked == [(1, -15, b"")] * 3
    assert payloads[0] == payloads[1] == payloads[2]
    assert extension.deflate(SMALL, True) == extension.deflate(SMALL, True)


@pytest.mark.parametrize("forget", ["drop_encoder", "release"])
def test_history_is_forgotten(isal: FakeLibrary, forget: str) -> None:
    extension = make(library="isal")
    extension.deflate(LARGE, True)
    getattr(extension, forget)()
    extension.deflate(LARGE, True)
    assert [history for _, _, history in isal.asked] == [b"", b""]


def test_history_grows_with_messages(isal: FakeLibrary) -> None:
    """As much as pays: priming takes time."""
    extension = make(library="isal")
    for size in (40_000, 2048, 5000, 30_000):
        extension.deflate((LOG * 2)[:size], True)
    assert [len(item[2]) for item in isal.asked] == [0, 8192, 20_000, 32_768]


@pytest.mark.parametrize("bits", range(9, 16))
def test_history_is_bounded(bits: int) -> None:
    window = 1 << bits
    end = bytearray()
    whole = b""
    for size in (10, window // 3, window, window // 3, window // 3, 2 * window, 1):
        data = noise(size)
        whole += data
        end = keep_end(end, memoryview(data), window)
        assert len(end) <= 1.5 * window
        assert end[-window:] == whole[-window:]


@pytest.mark.parametrize("large", [False, True])
def test_a_deflater_lives_on_where_it_is_needed(isal: FakeLibrary, large: bool) -> None:
    """It doesn't for a few messages; their size is the same all the same."""
    extension = make(local_bits=12, library="isal")
    if large:
        extension.deflate(LARGE, True)
    sizes = []
    for number in range(20):
        sizes.append(len(extension.deflate(b"%d, and some text" % number, True)))
        assert (extension.encoder is None) == (number < 8 - large)
        # The end of what was sent is kept in one place.
        assert extension._deflater is not None
        assert (extension._deflater._sent is None) == (number >= 8 - large)
    assert max(sizes[1:]) < sizes[0]
    extension.deflate(LARGE, True)
    assert extension.encoder is None
    # While a message lasts, its deflater does.
    extension.deflate(SMALL, False)
    first = extension.encoder
    extension.deflate(SMALL, False)
    assert extension.encoder is first is not None
    extension.deflate(SMALL, True)
    assert extension.encoder is None


def test_no_deflater_lives_on_without_takeover() -> None:
    extension = make(local_forgets=True)
    for _ in range(20):
        extension.deflate(SMALL, True)
        assert extension.encoder is None


# What comes out.


@pytest.mark.parametrize("bits", range(9, 16))
def test_keeps_to_its_window(library: str, bits: int) -> None:
    """A peer with a window of this size can follow, from message to message."""
    inflater = StrictInflater(1 << bits)
    for _ in range(2):
        extension = make(local_bits=bits, library=library)
        for message in (
            LOG[:3000],
            SMALL,
            noise(600) * 4,
            noise((1 << bits) - 1) * 2,
            noise((1 << bits) + 1) * 2,
            bytes(3000),
        ):
            payload = extension.deflate(message[:9000], True)
            assert inflater.inflate(payload + TAIL) == message[:9000]
    assert inflater.farthest > min(1 << bits - 2, 2000)
    assert inflater.finals == 0


def test_compresses_well(library: str) -> None:
    payload = make(library=library).deflate(LOG, True)
    by_zlib = make(library="zlib", level=1).deflate(LOG, True)
    assert len(payload) < 1.15 * len(by_zlib)


contents = st.builds(
    lambda start, size, random: noise(size) if random else LOG[start : start + size],
    st.integers(0, 5000),
    st.one_of(st.integers(0, 300), st.integers(900, 4500)),
    st.integers(0, 9).map(lambda number: number == 0),
)


@settings(
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    messages=st.lists(st.tuples(contents, st.integers(1, 6000)), max_size=16),
    bits=st.integers(8, 15),
    forgets=st.booleans(),
    pauses=st.sets(st.integers(0, 8)),
    drops=st.sets(st.integers(0, 8)),
)
def test_any_peer_understands(
    library: str,
    messages: list[tuple[bytes, int]],
    bits: int,
    forgets: bool,
    pauses: set[int],
    drops: set[int],
) -> None:
    """Whichever library makes which message, it is one stream."""
    sender = make(local_bits=bits, local_forgets=forgets, library=library)
    receiver = make(remote_bits=bits, remote_forgets=forgets)
    plain = zlib.decompressobj(wbits=-bits)
    for number, (message, size) in enumerate(messages):
        if number in pauses:
            sender.release()
            receiver.release()
        if number in drops:
            sender.deflate(message, True)
            sender.drop_encoder()
        pieces = [sender.deflate(*piece) for piece in fragment(message, size)]
        payload = b"".join(pieces)
        assert all(piece.endswith(TAIL) for piece in pieces[:-1])
        assert receiver.inflate(payload, True, len(message)) == message
        if forgets:
            plain = zlib.decompressobj(wbits=-bits)
        assert plain.decompress(payload + TAIL) == message


def test_views_and_arrays(library: str) -> None:
    extension, peer = make(library=library), make()
    for kind in (bytearray, memoryview, bytes):
        for message in (LARGE, SMALL):
            payload = extension.deflate(kind(message), True)
            assert peer.inflate(payload, True, None) == message


# Inflating.


def payloads(*messages: bytes, forgets: bool = False) -> list[bytes]:
    sender = make(library="zlib", local_bits=12, local_forgets=forgets)
    return [sender.deflate(message, True) for message in messages]


@pytest.mark.parametrize("forgets", [False, True])
@pytest.mark.parametrize("library", OTHERS)
def test_inflating_large_messages(
    isal: FakeLibrary, zlib_ng: FakeLibrary, library: str, forgets: bool
) -> None:
    """From a kilobyte of payload on; the history is the same for all."""
    messages = [LOG, SMALL, noise(1030), noise(1000), LOG]
    receiver = make(library=library, remote_bits=12, remote_forgets=forgets)
    for payload, message in zip(
        payloads(*messages, forgets=forgets), messages, strict=True
    ):
        assert receiver.inflate(payload, True, len(message)) == message
        assert receiver.decoder is None
        assert receiver.inflaters == 1
    histories = [b"", (LOG + SMALL)[-4096:], noise(1000)]
    if forgets:
        histories = [b""] * 3
    assert len(zlib_ng.inflated) == 3 - (len(payloads(LOG, LOG)[1]) < 1020)
    for (wbits, zdict), history in zip(zlib_ng.inflated, histories, strict=False):
        assert wbits == -12
        assert zdict.endswith(history)
    assert isal.inflated == []


def test_inflating_by_zlib(zlib_ng: FakeLibrary) -> None:
    """Because somebody wants it, or since the message comes in fragments."""
    [payload] = payloads(noise(5000))
    assert make(library="zlib").inflate(payload, True, None) == noise(5000)
    receiver = make(library="zlib-ng")
    first = receiver.inflate(payload[:4000], False, None)
    assert first + receiver.inflate(payload[4000:], True, None) == noise(5000)
    assert zlib_ng.inflated == []


def test_zlib_has_the_last_word(zlib_ng: FakeLibrary) -> None:
    [payload] = payloads(noise(5000))
    zlib_ng.refuses = True
    receiver = make(library="zlib-ng")
    assert receiver.inflate(payload, True, None) == noise(5000)
    assert receiver._history.endswith(noise(5000))


def test_zlib_looks_at_what_is_unusual(zlib_ng: FakeLibrary) -> None:
    """A message that breaks off, and one with a block that is marked as final."""
    [payload] = payloads(noise(5000))
    with pytest.raises(ProtocolError, match="message breaks off"):
        make(library="zlib-ng").inflate(payload[:-9], True, None)
    encoder = zlib.compressobj(wbits=-15)
    final = encoder.compress(noise(5000)) + encoder.flush() + b"\0"
    assert make(library="zlib-ng").inflate(final, True, None) == noise(5000)
    assert len(zlib_ng.inflated) == 2


@pytest.mark.parametrize("limit", [0, 100, 4999])
def test_inflating_too_much(zlib_ng: FakeLibrary, limit: int) -> None:
    [payload] = payloads(noise(5000))
    with pytest.raises(PayloadTooBig):
        make(library="zlib-ng").inflate(payload, True, limit)
    assert len(zlib_ng.inflated) == 1


@settings(
    deadline=None,
    max_examples=300,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    history=st.binary(max_size=300),
    start=st.integers(0, 3000),
    random=st.integers(0, 3000),
    finals=st.booleans(),
    bits=st.tuples(st.integers(9, 15), st.integers(8, 15)),
    level=st.integers(0, 9),
    limit=st.sampled_from([None, 5, 3000, 2**20]),
    changes=st.lists(
        st.tuples(st.integers(0, 4000), st.integers(0, 7), st.booleans()), max_size=3
    ),
)
def test_inflating_comes_to_the_same(
    monkeypatch: pytest.MonkeyPatch,
    history: bytes,
    start: int,
    random: int,
    finals: bool,
    bits: tuple[int, int],
    level: int,
    limit: int | None,
    changes: list[tuple[int, int, bool]],
) -> None:
    """Whatever comes, corrupt or beyond the window, zlib would have said the same."""
    if deflate._load("zlib-ng") is None:
        pytest.skip("zlib-ng isn't installed")
    monkeypatch.setattr(deflate, "_LARGE", 1)
    data = LOG[start:] * 2 + noise(random) * 2
    encoder = zlib.compressobj(level, wbits=-bits[0])
    payload = bytearray(encoder.compress(data) + encoder.flush(zlib.Z_SYNC_FLUSH)[:-4])
    if finals:
        payload = bytearray(b"\3\0") + payload
    for position, bit, cut in changes:
        if cut:
            del payload[-position - 1 :]
        elif position < len(payload):
            payload[position] ^= 1 << bit
    outcomes = []
    for library in "zlib", "zlib-ng":
        receiver = make(library=library, remote_bits=bits[1])
        receiver._history += history
        try:
            content = receiver.inflate(bytes(payload), True, limit)
        except (PayloadTooBig, ProtocolError) as exc:
            outcomes.append((repr(exc),))
        else:
            outcomes.append((content, receiver._history, receiver.inflaters))
    assert outcomes[0] == outcomes[1]


# The smallest window.


@pytest.mark.parametrize("good", [True, False])
def test_window_of_256_bytes(monkeypatch: pytest.MonkeyPatch, good: bool) -> None:
    monkeypatch.setattr(deflate, "_is_reach_of_nine_bits_short", lambda: good)
    arguments = {"memLevel": 9}
    payload = Deflater(8, False, arguments, "zlib").compress(LOG[:3000], True)
    assert len(payload) < 2500
    inflater = StrictInflater(256 if good else 1)
    assert inflater.inflate(payload + TAIL) == LOG[:3000]
    assert arguments == {"memLevel": 9}


def test_reach_of_nine_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    look = deflate._is_reach_of_nine_bits_short.__wrapped__
    assert look()
    # What a library would look like that uses all of its window.
    make_encoder = zlib.compressobj
    monkeypatch.setattr(zlib, "compressobj", lambda wbits: make_encoder(wbits=-10))
    assert not look()
