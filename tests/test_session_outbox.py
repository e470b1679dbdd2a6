"""Messages cut into frames (websockets.session.outbox)."""

from __future__ import annotations

import array
from typing import Any

import pytest

from byhand import SERVER, sent
from websockets.protocol import Protocol
from websockets.session.outbox import Outbox


@pytest.fixture
def protocol() -> Protocol:
    return Protocol(SERVER)


@pytest.fixture
def outbox(protocol: Protocol) -> Outbox:
    outbox = Outbox(protocol)
    outbox.begin()
    assert not outbox.started
    return outbox


class TestWrite:
    def test_text(self, protocol: Protocol, outbox: Outbox) -> None:
        outbox.write("é", last=False)
        assert outbox.started
        outbox.write("", last=False)
        outbox.write("a", last=True)
        assert sent(protocol) == [(0x01, b"\xc3\xa9"), (0x00, b""), (0x80, b"a")]

    @pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
    def test_binary(self, protocol: Protocol, outbox: Outbox, kind: Any) -> None:
        outbox.write(kind(b"\xff"), last=False)
        outbox.write(b"x", last=True)
        assert sent(protocol) == [(0x02, b"\xff"), (0x80, b"x")]

    def test_view_of_larger_items(self, protocol: Protocol, outbox: Outbox) -> None:
        words: Any = array.array("I", [1, 2, 3])
        view: Any = memoryview(words)
        outbox.write(view, last=True)
        assert sent(protocol) == [(0x82, words.tobytes())]

    def test_one_fragment(self, protocol: Protocol, outbox: Outbox) -> None:
        outbox.write("a", last=True)
        assert sent(protocol) == [(0x81, b"a")]

    def test_wrong_type(self, protocol: Protocol, outbox: Outbox) -> None:
        with pytest.raises(TypeError) as info:
            outbox.write(1, last=False)  # type: ignore[arg-type]
        assert str(info.value) == (
            "data iterable must contain str or bytes-like objects, not int"
        )
        assert not outbox.started
        # Nothing is decided yet.
        outbox.write("a", last=True)
        assert sent(protocol) == [(0x81, b"a")]

    @pytest.mark.parametrize("first, second", [("a", b"b"), (b"a", "b")])
    def test_mixed_types(
        self, protocol: Protocol, outbox: Outbox, first: Any, second: Any
    ) -> None:
        outbox.write(first, last=False)
        with pytest.raises(TypeError, match="either only str or only bytes"):
            outbox.write(second, last=True)
        assert len(sent(protocol)) == 1


class TestFinish:
    @pytest.mark.parametrize("first, opcode", [("a", 1), (b"a", 2)])
    def test_message(
        self, protocol: Protocol, outbox: Outbox, first: Any, opcode: int
    ) -> None:
        outbox.write(first, last=False)
        assert outbox.finish()
        assert sent(protocol) == [(opcode, b"a"), (0x80, b"")]

    def test_no_fragments(self, protocol: Protocol, outbox: Outbox) -> None:
        assert not outbox.finish()
        assert sent(protocol) == []

    def test_next_message(self, protocol: Protocol, outbox: Outbox) -> None:
        outbox.write("a", last=True)
        outbox.begin()
        assert not outbox.started
        outbox.write(b"b", last=True)
        assert sent(protocol) == [(0x81, b"a"), (0x82, b"b")]

    @pytest.mark.parametrize(
        "first, text, opcode", [("a", False, 2), (b"a", True, 1), ("a", None, 1)]
    )
    def test_kind(
        self,
        protocol: Protocol,
        outbox: Outbox,
        first: Any,
        text: bool | None,
        opcode: int,
    ) -> None:
        outbox.begin(text)
        outbox.write(first, last=False)
        outbox.write(first, last=True)
        assert sent(protocol) == [(opcode, b"a"), (0x80, b"a")]
