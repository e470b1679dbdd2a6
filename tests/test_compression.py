"""Which messages are compressed (websockets.extensions.compression)."""

from __future__ import annotations

import os
from typing import Any

import pytest

from websockets.extensions.compression import TINY, Compressor
from websockets.extensions.permessage_deflate import PerMessageDeflate

TEXT = b"all work and no play makes jack a dull boy; " * 3


class CountingDeflate(PerMessageDeflate):
    """Counts what is compressed and what is forgotten."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.compressed: list[bytes] = []
        self.dropped = self.released = 0

    def deflate(self, data: Any, fin: bool) -> bytes:
        self.compressed.append(bytes(data))
        return super().deflate(data, fin)

    def drop_encoder(self) -> None:
        self.dropped += 1
        super().drop_encoder()

    def release(self) -> None:
        self.released += 1
        super().release()


@pytest.fixture
def deflate() -> CountingDeflate:
    return CountingDeflate(False, False, 15, 15)


@pytest.fixture
def compressor(deflate: CountingDeflate) -> Compressor:
    return Compressor(deflate)


def inflate(*payloads: Any) -> bytes:
    peer = PerMessageDeflate(False, False, 15, 15)
    *first, last = payloads
    parts = [peer.inflate(bytes(payload), False, None) for payload in first]
    return b"".join([*parts, peer.inflate(bytes(last), True, None)])


def test_a_message_that_shrinks(compressor: Compressor) -> None:
    payload, compressed = compressor.compress(1, TEXT, True)
    assert compressed
    assert len(payload) < len(TEXT)
    assert inflate(payload) == TEXT


def test_tiny_messages_are_left_alone(
    compressor: Compressor, deflate: CountingDeflate
) -> None:
    assert compressor.compress(2, b"x" * (TINY - 1), True) == (b"x" * (TINY - 1), False)
    assert deflate.compressed == []
    assert compressor.compress(2, b"x" * TINY, True)[1]


def test_a_message_that_does_not_shrink(
    compressor: Compressor, deflate: CountingDeflate
) -> None:
    data = os.urandom(100)
    assert compressor.compress(2, data, True) == (data, False)
    # The peer doesn't have it, so it can't be referred to.
    assert deflate.dropped == 1
    assert deflate.encoder is None


def test_trying_less_and_less_often(
    compressor: Compressor, deflate: CountingDeflate
) -> None:
    tried = []
    for number in range(260):
        before = len(deflate.compressed)
        compressor.compress(2, os.urandom(100), True)
        if len(deflate.compressed) > before:
            tried.append(number)
    assert tried == [0, 2, 6, 14, 30, 62, 126, 191, 256]


def test_trying_often_again(compressor: Compressor, deflate: CountingDeflate) -> None:
    compressor.compress(2, os.urandom(100), True)
    assert not compressor.compress(1, TEXT, True)[1]
    assert compressor.compress(1, TEXT, True)[1]
    assert not compressor.compress(2, os.urandom(100), True)[1]
    assert not compressor.compress(1, TEXT, True)[1]
    assert compressor.compress(1, TEXT, True)[1]


def test_fragments(compressor: Compressor) -> None:
    # Whatever their size: more may follow.
    parts = [b"a", TEXT, b""]
    sent = [
        compressor.compress(1 if number == 0 else 0, part, number == 2)
        for number, part in enumerate(parts)
    ]
    assert [compressed for _, compressed in sent] == [True, True, True]
    assert inflate(*[payload for payload, _ in sent]) == b"".join(parts)


def test_a_fragment_of_nothing_compressed(compressor: Compressor) -> None:
    assert compressor.compress(0, TEXT, True) == (TEXT, False)


def test_idle_connections_free_memory(
    compressor: Compressor, deflate: CountingDeflate
) -> None:
    compressor.compress(1, TEXT, True)
    compressor.release_if_idle()
    assert deflate.released == 0
    compressor.release_if_idle()
    assert deflate.released == 1
    assert deflate.encoder is None
    assert compressor.compress(1, TEXT, True)[1]


def test_nothing_is_freed_inside_a_message(
    compressor: Compressor, deflate: CountingDeflate
) -> None:
    first, _ = compressor.compress(1, TEXT, False)
    compressor.release_if_idle()
    compressor.release_if_idle()
    assert deflate.released == 0
    last, _ = compressor.compress(0, TEXT, True)
    assert inflate(first, last) == TEXT * 2
