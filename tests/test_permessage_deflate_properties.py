"""Compression against models of its own (websockets.extensions.permessage_deflate).

What one side compresses, the other side, plain zlib and a strict inflater with a small
window must understand; what plain zlib compresses, we must.
"""

from __future__ import annotations

import tracemalloc
import zlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strict_inflate import StrictInflater
from test_permessage_deflate import (
    HELLO,
    HELLO_AGAIN,
    HELLO_FINAL,
    LOG,
    TAIL,
    check_limits,
    fragment,
    inflate_in_fragments,
    make,
    noise,
    raw_deflate,
    refer_back,
)
from websockets.exceptions import PayloadTooBig, ProtocolError
from websockets.extensions.permessage_deflate import PerMessageDeflate

# Windows.


@pytest.mark.parametrize("bits", range(8, 16))
@pytest.mark.parametrize("strategy", [zlib.Z_DEFAULT_STRATEGY, zlib.Z_FILTERED])
def test_deflate_keeps_to_its_window(bits: int, strategy: int) -> None:
    """A peer with a window of this size can follow, from message to message."""
    inflater = StrictInflater(1 << bits)
    for level in (1, 4, 9):
        extension = make(local_bits=bits, level=level, strategy=strategy)
        for message in (LOG[:3000], noise(255) * 3, noise(257) * 3, noise(600) * 2):
            payload = extension.deflate(message, True)
            assert inflater.inflate(payload + TAIL) == message
    assert inflater.farthest > min(1 << bits - 2, 2000)


@pytest.mark.parametrize("bits", range(8, 16))
def test_inflate_uses_all_of_the_window(bits: int) -> None:
    """A peer may refer to the very first byte in its window, and no farther."""
    window = 1 << bits
    for before, ok in ((window, True), (window - 1, False)):
        extension = make(remote_bits=bits)
        message = noise(before)
        assert extension.inflate(raw_deflate(message)[:-4], True, None) == message
        payload = refer_back(window)
        if ok:
            assert extension.inflate(payload, True, None) == message[:3]
        else:
            with pytest.raises(ProtocolError, match="decompression failed"):
                extension.inflate(payload, True, None)


# At length.


def test_peer_without_takeover_refers_to_an_earlier_message() -> None:
    extension = make(remote_forgets=True)
    assert extension.inflate(HELLO, True, None) == b"Hello"
    with pytest.raises(ProtocolError, match="^decompression failed$"):
        extension.inflate(HELLO_AGAIN, True, None)


@pytest.mark.parametrize("max_size", [2**63 - 3, 2**63 - 2, 2**63 - 1, 2**64])
def test_huge_max_size(max_size: int) -> None:
    assert make().inflate(HELLO, True, max_size) == b"Hello"


@pytest.mark.parametrize("level", range(-1, 10))
@pytest.mark.parametrize("strategy", range(5))
def test_settings_reach_the_deflater(level: int, strategy: int) -> None:
    options: dict[str, Any] = {"level": level, "memLevel": 5, "strategy": strategy}
    payload = make(**options).deflate(LOG, True)
    assert payload + TAIL == raw_deflate(LOG, **options)
    assert make().inflate(payload, True, len(LOG)) == LOG


def test_never_a_final_block() -> None:
    extension = make(local_forgets=True)
    inflater = StrictInflater(1 << 15)
    for data in (b"", b"a", LOG, noise(70_000)):
        assert inflater.inflate(extension.deflate(data, True) + TAIL) == data
    assert inflater.finals == 0


@pytest.mark.parametrize("size", [1, 100_000])
def test_truncated(size: int) -> None:
    """A message that breaks off is never taken for a complete one."""
    payload = raw_deflate(LOG[:2000], strategy=zlib.Z_DEFAULT_STRATEGY)[:-4]
    for end in range(len(payload) - 1):
        with pytest.raises(ProtocolError, match="^decompression failed"):
            inflate_in_fragments(make(), payload[:end], size)


def test_inflate_long_rest_after_a_final_block() -> None:
    payload = raw_deflate(b"a", zlib.Z_FINISH) + raw_deflate(noise(100_000))[:-4]
    extension = make()
    assert extension.inflate(payload, True, None) == b"a" + noise(100_000)
    for size in (1, 100_000):
        with pytest.raises(PayloadTooBig):
            make().inflate(payload, True, size)


@pytest.mark.parametrize("size", [100, 10_000])
def test_max_size_of_a_large_message(size: int) -> None:
    check_limits(raw_deflate(LOG)[:-4], LOG, size)
    check_limits(raw_deflate(bytes(20_000))[:-4], bytes(20_000), size)


def test_end_of_a_message_that_is_not_the_end() -> None:
    """What we put behind a message ends it only there."""
    with pytest.raises(ProtocolError):
        make().inflate(HELLO_FINAL[:-1] + TAIL + b"\x03\x00", False, None)


# Memory.


class SpyingInflater:
    """Counts what zlib inflates."""

    inflated = 0

    def __init__(self, **arguments: Any) -> None:
        self._decoder = _make_decoder(**arguments)

    def decompress(self, data: bytes, max_length: int) -> bytes:
        content = self._decoder.decompress(data, max_length)
        SpyingInflater.inflated += len(content)
        return content

    def __getattr__(self, name: str) -> Any:
        return getattr(self._decoder, name)


_make_decoder = zlib.decompressobj


@pytest.mark.parametrize("max_size", [0, 1, 999, 1000, 1001, 39_000, 50_000, 60_000])
def test_no_more_than_a_byte_too_much(
    monkeypatch: pytest.MonkeyPatch, max_size: int
) -> None:
    monkeypatch.setattr(zlib, "decompressobj", SpyingInflater)
    monkeypatch.setattr(SpyingInflater, "inflated", 0)
    payload = raw_deflate(bytes(1000), zlib.Z_FINISH)
    payload += raw_deflate(noise(39_000), zlib.Z_FINISH) + raw_deflate(bytes(10**6))
    with pytest.raises(PayloadTooBig):
        make().inflate(payload[:-4], True, max_size)
    assert SpyingInflater.inflated == max_size + 1


@pytest.mark.parametrize("size", [1000, 100_000_000])
@pytest.mark.parametrize("flush", [zlib.Z_SYNC_FLUSH, zlib.Z_FINISH])
def test_bomb(size: int, flush: int) -> None:
    """Thirty million bytes take no more memory than the limit."""
    encoder = zlib.compressobj(wbits=-15)
    payload = b"".join(encoder.compress(bytes(1_000_000)) for _ in range(30))
    payload += encoder.flush(flush)
    payload = payload[:-4] if flush == zlib.Z_SYNC_FLUSH else payload + b"\x00"
    extension = make()
    budget = 1 << 16
    tracemalloc.start()
    try:
        with pytest.raises(PayloadTooBig):
            for piece, fin in fragment(payload, size):
                budget -= len(extension.inflate(piece, fin, budget))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1_000_000


@pytest.mark.parametrize("bits", range(8, 16))
def test_history_is_bounded(bits: int) -> None:
    sender = zlib.compressobj(wbits=-max(bits, 9))
    extension = make(remote_bits=bits)
    for _ in range(40):
        for size in (20, 300, 5000):
            payload = sender.compress(LOG[:size]) + sender.flush(zlib.Z_SYNC_FLUSH)
            assert extension.inflate(payload[:-4], True, None) == LOG[:size]
            assert len(extension._history) <= 1.5 * (1 << bits)
    extension.release()
    assert len(extension._history) == 1 << bits


@pytest.mark.parametrize("bits", range(8, 16))
def test_release_keeps_what_the_peer_can_refer_to(bits: int) -> None:
    peer, extension = make(local_bits=bits), make(remote_bits=bits)
    for end in range(0, len(LOG), 2777):
        for message in (LOG[end - 50 : end], LOG[end : end + 99], LOG[:end]):
            payload = peer.deflate(message, True)
            assert extension.inflate(payload, True, None) == message
            extension.release()


# Properties.

contents = st.one_of(
    st.binary(max_size=300),
    st.builds(lambda data, n: data * n, st.binary(max_size=20), st.integers(0, 500)),
    st.builds(lambda i, n: LOG[i : i + n], st.integers(0, 5000), st.integers(0, 5000)),
)
window_bits = st.integers(8, 15)


@settings(deadline=None, max_examples=60)
@given(
    messages=st.lists(st.tuples(contents, st.integers(1, 400)), max_size=6),
    bits=window_bits,
    forgets=st.booleans(),
    level=st.integers(-1, 9),
    mem_level=st.integers(1, 9),
    strategy=st.integers(0, 4),
    pauses=st.sets(st.integers(0, 6)),
    cut=st.integers(1, 500),
)
def test_inflate_undoes_deflate(
    messages: list[tuple[bytes, int]],
    bits: int,
    forgets: bool,
    level: int,
    mem_level: int,
    strategy: int,
    pauses: set[int],
    cut: int,
) -> None:
    """Also as plain zlib sees it, and however the payload is cut again."""
    compress_settings = {"level": level, "memLevel": mem_level, "strategy": strategy}
    sender = PerMessageDeflate(False, forgets, 15, bits, compress_settings)
    receiver = make(remote_bits=bits, remote_forgets=forgets)
    other = make(remote_bits=bits, remote_forgets=forgets)
    plain = zlib.decompressobj(wbits=-bits)
    for number, (message, size) in enumerate(messages):
        if number in pauses:
            sender.release()
            receiver.release()
        payload = received = b""
        for piece, fin in fragment(message, size):
            part = sender.deflate(piece, fin)
            payload += part
            received += receiver.inflate(part, fin, len(message) - len(received))
        assert received == message
        assert inflate_in_fragments(other, payload, cut) == message
        if forgets:
            plain = zlib.decompressobj(wbits=-bits)
        assert plain.decompress(payload + TAIL) == message
        assert receiver.decoder is None


@settings(deadline=None, max_examples=60)
@given(
    messages=st.lists(st.lists(contents, min_size=1, max_size=3), max_size=4),
    bits=st.integers(9, 15),
    flushes=st.lists(
        st.sampled_from([zlib.Z_SYNC_FLUSH, zlib.Z_FULL_FLUSH, zlib.Z_FINISH]),
        min_size=1,
    ),
    cut=st.integers(1, 500),
)
def test_inflate_what_plain_zlib_deflates(
    messages: list[list[bytes]], bits: int, flushes: list[int], cut: int
) -> None:
    """Any blocks, final ones too, with the history going on behind them."""
    receiver = make(remote_bits=bits)
    history = b""
    flush = iter(flushes * 12)
    for blocks in messages:
        payload = b""
        for block in blocks:
            kind = next(flush)
            encoder = zlib.compressobj(wbits=-bits, zdict=history[-(1 << bits) :])
            payload += encoder.compress(block) + encoder.flush(kind)
            history += block
        payload = payload + b"\x00" if kind == zlib.Z_FINISH else payload[:-4]
        assert inflate_in_fragments(receiver, payload, cut) == b"".join(blocks)


@settings(deadline=None, max_examples=200)
@given(payload=st.binary(max_size=100), cut=st.integers(1, 100))
def test_inflate_anything(payload: bytes, cut: int) -> None:
    """Whatever comes is inflated or refused, and within its limit."""
    outcomes = []
    for size in (cut, 100):
        extension = make()
        content = b""
        try:
            for piece, fin in fragment(payload, size):
                content += extension.inflate(piece, fin, 50 - len(content))
            outcomes.append((content, True))
            assert len(content) <= 50
        except (ProtocolError, PayloadTooBig):
            outcomes.append((b"", False))
    assert outcomes[0] == outcomes[1]
