"""Compression of messages (websockets.extensions.permessage_deflate)."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from websockets.exceptions import (
    DuplicateParameter,
    InvalidParameterName,
    InvalidParameterValue,
    NegotiationError,
    PayloadTooBig,
    ProtocolError,
)
from websockets.extensions.base import ClientExtensionFactory, ServerExtensionFactory
from websockets.extensions.permessage_deflate import (
    ClientPerMessageDeflateFactory,
    PerMessageDeflate,
    ServerPerMessageDeflateFactory,
    enable_client_permessage_deflate,
    enable_server_permessage_deflate,
)
from websockets.frames import BINARY, CLOSE, CONT, PING, PONG, TEXT, Frame

TAIL = b"\x00\x00\xff\xff"

# RFC 7692, 7.2.3: "Hello" in several ways.
HELLO = bytes.fromhex("f2 48 cd c9 c9 07 00")
HELLO_AGAIN = bytes.fromhex("f2 00 11 00 00")
HELLO_STORED = bytes.fromhex("00 05 00 fa ff 48 65 6c 6c 6f 00")
HELLO_FINAL = bytes.fromhex("f3 48 cd c9 c9 07 00 00")
HELLO_TWO_BLOCKS = bytes.fromhex("f2 48 05 00 00 00 ff ff ca c9 c9 07 00")

# Text as in logs: compresses well, and refers back to all distances.
LOG = json.dumps(
    [{"id": i, "user": f"user{i * 7919 % 1000}", "value": i * 0.37} for i in range(900)]
).encode()


def make(
    remote_bits: int = 15,
    local_bits: int = 15,
    *,
    remote_forgets: bool = False,
    local_forgets: bool = False,
    library: str = "zlib",
    **compress_settings: Any,
) -> PerMessageDeflate:
    return PerMessageDeflate(
        remote_forgets,
        local_forgets,
        remote_bits,
        local_bits,
        compress_settings,
        library=library,
    )


def raw_deflate(data: bytes, flush: int = zlib.Z_SYNC_FLUSH, **options: Any) -> bytes:
    encoder = zlib.compressobj(**{"wbits": -15, **options})
    return encoder.compress(data) + encoder.flush(flush)


def noise(size: int) -> bytes:
    """Return bytes that can't be compressed, always the same."""
    state = 1
    data = bytearray()
    for _ in range(size):
        state = state * 6364136223846793005 + 1442695040888963407 & (1 << 64) - 1
        data.append(state >> 56)
    return bytes(data)


def fragment(data: bytes, size: int) -> Iterator[tuple[bytes, bool]]:
    """Cut data into pieces, each with whether it's the last."""
    for start in range(0, max(len(data), 1), size):
        yield data[start : start + size], start + size >= len(data)


def inflate_in_fragments(
    extension: PerMessageDeflate, payload: bytes, size: int = 1
) -> bytes:
    return b"".join(
        extension.inflate(piece, fin, None) for piece, fin in fragment(payload, size)
    )


def refer_back(distance: int) -> bytes:
    """Return a payload that repeats three bytes from a power of two back."""
    code = 2 * distance.bit_length() - 3
    extra = "1" * (distance.bit_length() - 3)
    # RFC 1951, 3.2.6: a block with fixed codes: its header, length 3, the distance,
    # the end of the block; then the header of the block whose rest isn't sent.
    bits = f"010 0000001 {code:05b} {extra} 0000000 000".replace(" ", "")
    bits += "0" * (-len(bits) % 8)
    return bytes(int(bits[i : i + 8][::-1], 2) for i in range(0, len(bits), 8))


# What it is made of.


def test_attributes() -> None:
    extension = PerMessageDeflate(True, False, 9, 10, {"level": 1})
    assert extension.name == "permessage-deflate"
    assert extension.remote_no_context_takeover is True
    assert extension.local_no_context_takeover is False
    assert extension.remote_max_window_bits == 9
    assert extension.local_max_window_bits == 10
    assert extension.compress_settings == {"level": 1}
    assert extension.decode_cont_data is False
    assert extension.encoder is None
    assert extension.decoder is None


def test_repr() -> None:
    assert repr(PerMessageDeflate(True, False, 9, 10)) == (
        "PerMessageDeflate(remote_no_context_takeover=True, "
        "local_no_context_takeover=False, remote_max_window_bits=9, "
        "local_max_window_bits=10)"
    )


def test_compress_settings_are_copied() -> None:
    compress_settings = {"level": 1}
    extension = PerMessageDeflate(False, False, 15, 15, compress_settings)
    compress_settings["level"] = 20
    assert extension.compress_settings == {"level": 1}
    assert PerMessageDeflate(False, False, 15, 15).compress_settings == {}


@pytest.mark.parametrize("bits", [7, 16, 0, -15])
@pytest.mark.parametrize("name", ["remote_max_window_bits", "local_max_window_bits"])
def test_window_bits_out_of_range(name: str, bits: int) -> None:
    arguments: dict[str, Any] = {
        "remote_max_window_bits": 15,
        "local_max_window_bits": 15,
        name: bits,
    }
    with pytest.raises(ValueError, match=f"^{name} must be between 8 and 15; got "):
        PerMessageDeflate(False, False, **arguments)


@pytest.mark.parametrize("bits", [True, "12", None, 12.0])
def test_window_bits_of_another_type(bits: Any) -> None:
    with pytest.raises(TypeError, match="^local_max_window_bits must be an int"):
        PerMessageDeflate(False, False, 15, bits)


@pytest.mark.parametrize(
    ("compress_settings", "error", "text"),
    [
        ({"level": 10}, ValueError, "level .* between -1 and 9; got 10"),
        ({"level": -2}, ValueError, "level .* between -1 and 9; got -2"),
        ({"memLevel": 0}, ValueError, "memLevel .* between 1 and 9; got 0"),
        ({"memLevel": 10}, ValueError, "memLevel .* between 1 and 9; got 10"),
        ({"strategy": 5}, ValueError, "strategy .* between 0 and 4; got 5"),
        ({"strategy": -1}, ValueError, "strategy .* between 0 and 4; got -1"),
        ({"method": 9}, ValueError, "method .* between 8 and 8; got 9"),
        ({"wbits": -9}, ValueError, "can have level, .* got 'wbits'"),
        ({"level": "6"}, TypeError, "level .* must be an int, not str"),
        ({"memLevel": True}, TypeError, "memLevel .* must be an int, not bool"),
    ],
)
def test_bad_compress_settings(
    compress_settings: dict[str, Any], error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        PerMessageDeflate(False, False, 15, 15, compress_settings)


# The examples of RFC 7692, 7.2.3.


@pytest.mark.parametrize(
    ("payload", "content"),
    [
        (HELLO, b"Hello"),
        (HELLO_STORED, b"Hello"),
        (HELLO_FINAL, b"Hello"),
        (HELLO_TWO_BLOCKS, b"Hello"),
        (b"\x00", b""),
        (b"\x02\x00", b""),
        (HELLO_FINAL[:-1] + HELLO_FINAL, b"HelloHello"),
        # The sender didn't put another block behind the final one.
        (HELLO_FINAL[:-1], b"Hello"),
    ],
)
@pytest.mark.parametrize("remote_forgets", [False, True])
def test_inflate(payload: bytes, content: bytes, remote_forgets: bool) -> None:
    extension = make(remote_forgets=remote_forgets)
    assert extension.inflate(payload, True, None) == content
    for size in (1, 2, 3, 7):
        assert inflate_in_fragments(extension, payload, size) == content
    # An empty last fragment.
    assert extension.inflate(payload, False, None) == content
    assert extension.decoder is not None
    assert extension.inflate(b"", True, None) == b""
    assert extension.decoder is None
    # Empty fragments elsewhere.
    assert extension.inflate(b"", False, None) == b""
    assert extension.inflate(payload, False, None) == content
    assert extension.inflate(b"", False, None) == b""
    assert extension.inflate(b"", True, None) == b""


def test_inflate_shared_window() -> None:
    extension = make()
    assert extension.inflate(HELLO, True, None) == b"Hello"
    assert extension.inflate(HELLO_AGAIN, True, None) == b"Hello"


def test_inflate_across_a_final_block() -> None:
    """What a final block ends is its stream, not the history."""
    extension = make()
    assert extension.inflate(HELLO_FINAL, True, None) == b"Hello"
    assert extension.inflate(HELLO_AGAIN, True, None) == b"Hello"
    # In one message, and in one frame, too.
    extension = make(remote_forgets=True)
    payload = HELLO_FINAL[:-1] + HELLO_AGAIN
    assert extension.inflate(payload, True, None) == b"HelloHello"
    assert inflate_in_fragments(extension, payload) == b"HelloHello"


def test_inflate_final_blocks_only_to_a_number() -> None:
    block = raw_deflate(b"a", zlib.Z_FINISH)
    extension = make()
    assert extension.inflate(250 * block + b"\x00", True, None) == 250 * b"a"
    with pytest.raises(ProtocolError, match="too many final blocks"):
        extension.inflate(10_000 * block + b"\x00", True, None)


def test_deflate() -> None:
    extension = make()
    assert extension.deflate(b"Hello", True) == HELLO
    assert extension.deflate(b"Hello", True) == HELLO_AGAIN
    extension = make(local_forgets=True)
    assert extension.deflate(b"Hello", True) == HELLO
    assert extension.encoder is None
    assert extension.deflate(b"Hello", True) == HELLO


def test_deflate_in_fragments() -> None:
    extension = make(local_forgets=True)
    payload = extension.deflate(b"He", False)
    assert payload.endswith(TAIL)
    assert extension.encoder is not None
    payload += extension.deflate(memoryview(b"llo"), True)
    assert payload == HELLO_TWO_BLOCKS


@pytest.mark.parametrize("local_forgets", [False, True])
def test_deflate_empty(local_forgets: bool) -> None:
    extension = make(local_forgets=local_forgets)
    assert extension.deflate(b"", True) == b"\x00"
    assert extension.encoder is None
    assert extension.deflate(b"", False) == b""
    payload = extension.deflate(b"Hello", False) + extension.deflate(b"", True)
    assert payload == HELLO[:-1] + b"\x00" + TAIL + b"\x00"
    assert make().inflate(payload, True, None) == b"Hello"


# Limits.


def check_limits(payload: bytes, content: bytes, size: int) -> None:
    """Check inflating in pieces with limits around the size of the content."""
    for excess in (0, 1, 1000):
        extension = make()
        budget = len(content) + excess
        inflated = b""
        for piece, fin in fragment(payload, size):
            inflated += extension.inflate(piece, fin, budget - len(inflated))
        assert inflated == content
    for missing in (1, 2, len(content)):
        extension = make()
        budget = len(content) - missing
        with pytest.raises(PayloadTooBig) as caught:
            for piece, fin in fragment(payload, size):
                budget -= len(extension.inflate(piece, fin, budget))
        assert (caught.value.size, caught.value.max_size) == (None, budget)


@pytest.mark.parametrize("size", [1, 2, 5, 10_000])
def test_max_size(size: int) -> None:
    check_limits(HELLO, b"Hello", size)
    check_limits(HELLO_TWO_BLOCKS, b"Hello", size)
    check_limits(HELLO_FINAL[:-1] + HELLO_AGAIN, b"HelloHello", size)
    check_limits(HELLO_FINAL[:-1] + HELLO_FINAL, b"HelloHello", size)


@pytest.mark.parametrize("max_size", [0, 1, None, 2**63 - 2, 2**63 - 1, 2**64])
def test_max_size_of_an_empty_message(max_size: int | None) -> None:
    assert make().inflate(b"\x00", True, max_size) == b""


# Data that isn't what it should be.


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(b"\x06", id="reserved block type"),
        pytest.param(b"\x00\x05\x00\x05\x00Hello\x00", id="lengths don't match"),
        pytest.param(refer_back(8), id="too far back"),
        pytest.param(HELLO_FINAL[:-1] + b"\x06", id="after a final block"),
    ],
)
@pytest.mark.parametrize("fin", [True, False])
def test_corrupted(payload: bytes, fin: bool) -> None:
    with pytest.raises(ProtocolError, match="^decompression failed$") as caught:
        make().inflate(payload, fin, 1000)
    assert isinstance(caught.value.__cause__, zlib.error)
    assert caught.value.close_code == 1002


def test_truncated_without_an_error_of_zlib() -> None:
    stored = b"\x00\x40\x00\xbf\xff" + bytes(0x20)
    with pytest.raises(ProtocolError, match="message breaks off$") as caught:
        make().inflate(stored, True, None)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("missing", range(1, 9))
def test_truncated_in_a_final_block(missing: int) -> None:
    """The block doesn't take for its own what we put behind the message."""
    stored = b"\x01\x09\x00\xf6\xff" + b"123456789"
    with pytest.raises(ProtocolError, match="^decompression failed"):
        make().inflate(stored[:-missing], True, None)
    assert make().inflate(stored, True, None) == b"123456789"


# Memory.


def test_nothing_is_made_before_it_is_needed() -> None:
    extension = make()
    assert extension.deflate(b"", True) == b"\x00"
    assert (extension.encoder, extension.decoder) == (None, None)


def test_inflaters_live_as_long_as_their_message() -> None:
    extension = make()
    extension.inflate(HELLO_TWO_BLOCKS[:5], False, None)
    assert extension.decoder is not None
    extension.inflate(HELLO_TWO_BLOCKS[5:], True, None)
    assert extension.decoder is None


def test_history_is_trimmed() -> None:
    extension = make(remote_bits=9)
    for size in range(10, 600, 50):
        payload = raw_deflate(noise(size), wbits=-9)[:-4]
        assert extension.inflate(payload, True, None) == noise(size)
        assert len(extension._history) <= 768


def test_no_history_without_takeover() -> None:
    extension = make(remote_forgets=True)
    extension.inflate(raw_deflate(LOG)[:-4], True, None)
    assert extension._history == b""


def test_release_in_the_middle_of_messages() -> None:
    extension, peer = make(), make()
    received = extension.inflate(HELLO_TWO_BLOCKS[:6], False, None)
    sent = extension.deflate(LOG, False)
    extension.release()
    assert extension.encoder is None
    received += extension.inflate(HELLO_TWO_BLOCKS[6:], True, None)
    assert received == b"Hello"
    sent += extension.deflate(LOG, True)
    assert peer.inflate(sent, True, None) == LOG + LOG


def test_drop_encoder() -> None:
    extension, peer = make(), make()
    payload = extension.deflate(b"Hello", True)
    assert peer.inflate(payload, True, None) == b"Hello"
    extension.deflate(b"This is not for the peer", True)
    extension.drop_encoder()
    assert extension.encoder is None
    payload = extension.deflate(b"Hello", True)
    assert payload == HELLO
    assert peer.inflate(payload, True, None) == b"Hello"
    assert peer.inflate(HELLO_AGAIN, True, None) == b"Hello"


# On frames.


def test_encode() -> None:
    extension = make()
    frame = Frame(TEXT, b"Hello")
    assert extension.encode(frame) == Frame(TEXT, HELLO, rsv1=True)
    assert frame == Frame(TEXT, b"Hello")
    assert extension.encode(Frame(BINARY, memoryview(b"Hello"))) == (
        Frame(BINARY, HELLO_AGAIN, rsv1=True)
    )


def test_encode_fragments() -> None:
    extension = make(local_forgets=True)
    assert extension.encode(Frame(TEXT, b"He", fin=False)) == (
        Frame(TEXT, HELLO_TWO_BLOCKS[:8], fin=False, rsv1=True)
    )
    assert extension.encode(Frame(PING, b"He")) == Frame(PING, b"He")
    assert extension.encode(Frame(CONT, b"llo")) == Frame(CONT, HELLO_TWO_BLOCKS[8:])


def test_decode() -> None:
    extension = make()
    frame = Frame(TEXT, HELLO, rsv1=True)
    assert extension.decode(frame) == Frame(TEXT, b"Hello")
    assert frame == Frame(TEXT, HELLO, rsv1=True)
    assert extension.decode(Frame(BINARY, bytearray(HELLO_AGAIN), rsv1=True)) == (
        Frame(BINARY, b"Hello")
    )


def test_decode_fragments() -> None:
    extension = make()
    assert extension.decode(Frame(TEXT, HELLO[:3], fin=False, rsv1=True)) == (
        Frame(TEXT, b"He", fin=False)
    )
    assert extension.decode_cont_data
    assert extension.decode(Frame(PING, HELLO)) == Frame(PING, HELLO)
    assert extension.decode(Frame(CONT, HELLO[3:5], fin=False)) == (
        Frame(CONT, b"ll", fin=False)
    )
    assert extension.decode_cont_data
    assert extension.decode(Frame(CONT, HELLO[5:])) == Frame(CONT, b"o")
    assert not extension.decode_cont_data


@pytest.mark.parametrize("opcode", [CLOSE, PING, PONG])
@pytest.mark.parametrize("rsv1", [False, True])
def test_control_frames_are_left_alone(opcode: Any, rsv1: bool) -> None:
    frame = Frame(opcode, HELLO, rsv1=rsv1)
    assert make().decode(frame) is frame
    assert make().encode(frame) is frame


def test_messages_that_are_not_compressed_are_left_alone() -> None:
    extension = make()
    for frame in (
        Frame(TEXT, HELLO),
        Frame(BINARY, HELLO, fin=False),
        Frame(CONT, HELLO, fin=False),
        Frame(CONT, HELLO),
    ):
        assert extension.decode(frame, max_size=1) is frame
        assert not extension.decode_cont_data
    assert extension.decoder is None


@pytest.mark.parametrize("compressed", [False, True])
def test_decode_continuation_with_rsv1(compressed: bool) -> None:
    extension = make()
    extension.decode(Frame(TEXT, b"", fin=False, rsv1=compressed))
    with pytest.raises(ProtocolError, match="^reserved bits must be 0$"):
        extension.decode(Frame(CONT, HELLO, rsv1=True))


def test_decode_max_size() -> None:
    frame = Frame(TEXT, HELLO, rsv1=True)
    assert make().decode(frame, max_size=5).data == b"Hello"
    with pytest.raises(PayloadTooBig) as caught:
        make().decode(frame, max_size=4)
    assert str(caught.value) == "frame exceeds limit of 4 bytes"


# Negotiation. Parameters are written as in headers, agreements as (remote forgets,
# local forgets, remote bits, local bits).

Agreement = tuple[bool, bool, int, int]
Params = list[tuple[str, str | None]]


def params(text: str) -> Params:
    """Read parameters without the package's help: "a; b=1"."""
    pairs = (item.strip().partition("=") for item in text.split(";") if item)
    return [(name, value if sign else None) for name, sign, value in pairs]


def agreement(extension: PerMessageDeflate) -> Agreement:
    return (
        extension.remote_no_context_takeover,
        extension.local_no_context_takeover,
        extension.remote_max_window_bits,
        extension.local_max_window_bits,
    )


def client(**arguments: Any) -> ClientPerMessageDeflateFactory:
    # Without client_max_window_bits unless a test is about it.
    return ClientPerMessageDeflateFactory(
        **{"client_max_window_bits": None} | arguments
    )


server = ServerPerMessageDeflateFactory

S_FORGETS: dict[str, Any] = {"server_no_context_takeover": True}
C_FORGETS: dict[str, Any] = {"client_no_context_takeover": True}
S_10: dict[str, Any] = {"server_max_window_bits": 10}
C_10: dict[str, Any] = {"client_max_window_bits": 10}
C_ANY: dict[str, Any] = {"client_max_window_bits": True}
C_10_REQUIRED = {**C_10, "require_client_max_window_bits": True}


@pytest.mark.parametrize(
    ("arguments", "offer"),
    [
        ({}, ""),
        (S_FORGETS, "server_no_context_takeover"),
        (C_FORGETS, "client_no_context_takeover"),
        (S_10, "server_max_window_bits=10"),
        (C_10, "client_max_window_bits=10"),
        (C_ANY, "client_max_window_bits"),
        (
            {**C_10, **S_10, **C_FORGETS, **S_FORGETS},
            "server_no_context_takeover; client_no_context_takeover; "
            "server_max_window_bits=10; client_max_window_bits=10",
        ),
    ],
)
def test_client_offers(arguments: dict[str, Any], offer: str) -> None:
    factory = client(**arguments)
    assert factory.name == "permessage-deflate"
    assert factory.get_request_params() == params(offer)


FREE = (False, False, 15, 15)


@pytest.mark.parametrize(
    ("arguments", "answer", "expected"),
    [
        ({}, "", FREE),
        # RFC 7692, 7.1.1.1.
        ({}, "server_no_context_takeover", (True, False, 15, 15)),
        (S_FORGETS, "server_no_context_takeover", (True, False, 15, 15)),
        (S_FORGETS, "", "expected server_no_context_takeover"),
        # 7.1.1.2.
        ({}, "client_no_context_takeover", (False, True, 15, 15)),
        (C_FORGETS, "", (False, True, 15, 15)),
        (C_FORGETS, "client_no_context_takeover", (False, True, 15, 15)),
        # 7.1.2.1.
        ({}, "server_max_window_bits=8", (False, False, 8, 15)),
        (S_10, "server_max_window_bits=9", (False, False, 9, 15)),
        (S_10, "server_max_window_bits=10", (False, False, 10, 15)),
        (
            S_10,
            "server_max_window_bits=11",
            "expected server_max_window_bits of at most 10; got 11",
        ),
        (S_10, "", "expected server_max_window_bits"),
        # 7.1.2.2.
        ({}, "client_max_window_bits=10", "unexpected client_max_window_bits"),
        (C_ANY, "", FREE),
        (C_ANY, "client_max_window_bits=8", (False, False, 15, 8)),
        (C_10, "", (False, False, 15, 10)),
        (C_10, "client_max_window_bits=9", (False, False, 15, 9)),
        (C_10, "client_max_window_bits=10", (False, False, 15, 10)),
        # 7.2.2: ours may stay as small as we said.
        (C_10, "client_max_window_bits=11", (False, False, 15, 10)),
        # All together, in another order.
        (
            {**S_FORGETS, **C_FORGETS, **S_10, **C_10},
            "client_max_window_bits=8;server_max_window_bits=9;"
            "client_no_context_takeover;server_no_context_takeover",
            (True, True, 9, 8),
        ),
    ],
)
def test_client_takes_answer(
    arguments: dict[str, Any], answer: str, expected: Agreement | str
) -> None:
    factory = client(**arguments, compress_settings={"level": 1})
    if isinstance(expected, str):
        with pytest.raises(NegotiationError) as caught:
            factory.process_response_params(params(answer), [])
        assert str(caught.value) == expected
    else:
        extension = factory.process_response_params(params(answer), [])
        assert agreement(extension) == expected
        assert extension.compress_settings == {"level": 1}


@pytest.mark.parametrize(
    ("arguments", "offer", "answer", "expected"),
    [
        ({}, "", "", FREE),
        # RFC 7692, 7.1.1.1.
        ({}, "server_no_context_takeover", None, (False, True, 15, 15)),
        (S_FORGETS, "server_no_context_takeover", None, (False, True, 15, 15)),
        (S_FORGETS, "", "server_no_context_takeover", (False, True, 15, 15)),
        # 7.1.1.2.
        ({}, "client_no_context_takeover", None, (True, False, 15, 15)),
        (C_FORGETS, "client_no_context_takeover", None, (True, False, 15, 15)),
        (C_FORGETS, "", "client_no_context_takeover", (True, False, 15, 15)),
        # 7.1.2.1.
        ({}, "server_max_window_bits=8", None, (False, False, 15, 8)),
        (S_10, "", "server_max_window_bits=10", (False, False, 15, 10)),
        (S_10, "server_max_window_bits=9", None, (False, False, 15, 9)),
        (
            S_10,
            "server_max_window_bits=11",
            "server_max_window_bits=10",
            (False, False, 15, 10),
        ),
        # 7.1.2.2.
        ({}, "client_max_window_bits", "", FREE),
        ({}, "client_max_window_bits=9", None, (False, False, 9, 15)),
        (C_10, "", "", FREE),
        (
            C_10,
            "client_max_window_bits",
            "client_max_window_bits=10",
            (False, False, 10, 15),
        ),
        (C_10, "client_max_window_bits=9", None, (False, False, 9, 15)),
        (
            C_10,
            "client_max_window_bits=11",
            "client_max_window_bits=10",
            (False, False, 10, 15),
        ),
        (C_10_REQUIRED, "client_max_window_bits=9", None, (False, False, 9, 15)),
        (C_10_REQUIRED, "", "", "required client_max_window_bits"),
        # All together.
        (
            {},
            "server_no_context_takeover; client_no_context_takeover; "
            "server_max_window_bits=8; client_max_window_bits=9",
            None,
            (True, True, 9, 8),
        ),
    ],
)
def test_server_answers(
    arguments: dict[str, Any],
    offer: str,
    answer: str | None,
    expected: Agreement | str,
) -> None:
    """None for an answer is the offer itself."""
    factory = server(**arguments, compress_settings={"level": 1})
    assert factory.name == "permessage-deflate"
    if isinstance(expected, str):
        with pytest.raises(NegotiationError) as caught:
            factory.process_request_params(params(offer), [])
        assert str(caught.value) == expected
    else:
        answered, extension = factory.process_request_params(params(offer), [])
        assert answered == params(offer if answer is None else answer)
        assert agreement(extension) == expected
        assert extension.compress_settings == {"level": 1}


BAD_PARAMETERS = [
    ("x", InvalidParameterName),
    ("x=1", InvalidParameterName),
    ("Server_no_context_takeover", InvalidParameterName),
    ("server_no_context_takeover=true", InvalidParameterValue),
    ("client_no_context_takeover=", InvalidParameterValue),
    ("server_no_context_takeover=", InvalidParameterValue),
    ("server_max_window_bits", InvalidParameterValue),
    ("server_no_context_takeover; server_no_context_takeover", DuplicateParameter),
    ("server_max_window_bits=9; server_max_window_bits=9", DuplicateParameter),
    ("client_max_window_bits=9; client_max_window_bits=10", DuplicateParameter),
] + [
    (f"{side}_max_window_bits={value}", InvalidParameterValue)
    for side in ("server", "client")
    for value in ("", "7", "16", "08", "010", "+9", " 9", "9.0", "0x9", "\u0669", "-9")
]


@pytest.mark.parametrize(("text", "error"), BAD_PARAMETERS)
def test_bad_parameters(text: str, error: type[NegotiationError]) -> None:
    with pytest.raises(error):
        server().process_request_params(params(text), [])
    with pytest.raises(error):
        client(**C_ANY).process_response_params(params(text), [])


def test_answer_of_client_max_window_bits_without_value() -> None:
    """Only in an offer may it be without a value."""
    with pytest.raises(InvalidParameterValue) as caught:
        client(**C_ANY).process_response_params(params("client_max_window_bits"), [])
    assert str(caught.value) == "missing value for parameter client_max_window_bits"


def test_messages_are_compressed_once() -> None:
    accepted = [make()]
    with pytest.raises(NegotiationError, match="^skipped duplicate permessage-defl"):
        server().process_request_params([], accepted)
    with pytest.raises(NegotiationError, match="^received duplicate permessage-defl"):
        client().process_response_params([], accepted)


@pytest.mark.parametrize("factory", [client, server])
@pytest.mark.parametrize("name", ["server_max_window_bits", "client_max_window_bits"])
def test_factory_arguments(factory: Callable[..., Any], name: str) -> None:
    for bits in (None, *range(8, 16)):
        assert getattr(factory(**{name: bits}), name) == bits
    for bits in (7, 16, 0, 1):
        with pytest.raises(ValueError, match=name):
            factory(**{name: bits})
    for value in ("9", False):
        with pytest.raises(TypeError, match=name):
            factory(**{name: value})
    with pytest.raises(ValueError, match="level"):
        factory(compress_settings={"level": 17})


def test_factory_attributes() -> None:
    arguments: dict[str, Any] = {
        **C_10_REQUIRED,
        **S_10,
        **S_FORGETS,
        **C_FORGETS,
        "compress_settings": {"memLevel": 3},
    }
    factory = server(**arguments)
    assert {name: getattr(factory, name) for name in arguments} == arguments
    del arguments["require_client_max_window_bits"]
    other = client(**arguments)
    assert {name: getattr(other, name) for name in arguments} == arguments


def test_require_client_max_window_bits_needs_client_max_window_bits() -> None:
    with pytest.raises(ValueError, match="needs client_max_window_bits"):
        server(require_client_max_window_bits=True)


# The defaults.


def test_enable_client() -> None:
    (factory,) = enable_client_permessage_deflate(None)
    assert factory.get_request_params() == params("client_max_window_bits")
    extension = factory.process_response_params([], [])
    assert isinstance(extension, PerMessageDeflate)
    assert extension.compress_settings == {"memLevel": 5}


def test_enable_server() -> None:
    (factory,) = enable_server_permessage_deflate(None)
    answer, extension = factory.process_request_params([], [])
    assert answer == params("server_max_window_bits=12")
    assert isinstance(extension, PerMessageDeflate)
    assert extension.compress_settings == {"memLevel": 5}
    offer = params("client_max_window_bits")
    answer, extension = factory.process_request_params(offer, [])
    assert answer == params("server_max_window_bits=12; client_max_window_bits=12")


@pytest.mark.parametrize(
    ("enable", "own", "foreign"),
    [
        (enable_client_permessage_deflate, client(), ClientExtensionFactory()),
        (enable_server_permessage_deflate, server(), ServerExtensionFactory()),
    ],
)
def test_enable_besides_others(
    enable: Callable[[Any], list[Any]], own: Any, foreign: Any
) -> None:
    foreign.name = "x-foreign"
    assert enable((foreign, own)) == [foreign, own]
    given = [foreign]
    first, second = enable(given)
    assert first is foreign
    assert type(second) is type(own)
    assert given == [foreign]
