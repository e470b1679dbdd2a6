"""Keys, masks, socket names and limits (websockets.utils)."""

from __future__ import annotations

import base64
import os
import uuid

import pytest

from websockets import utils
from websockets.utils import (
    accept_key,
    env_limit,
    generate_key,
    generate_mask,
    get_socket_name,
    make_id,
)


def test_accept_key_of_the_rfc() -> None:
    # RFC 6455, 1.3.
    assert accept_key("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


def test_keys_are_16_bytes_and_differ() -> None:
    keys = {generate_key() for _ in range(10)}
    assert len(keys) == 10
    assert {len(base64.b64decode(key, validate=True)) for key in keys} == {16}


def test_identifiers_differ() -> None:
    one, other = make_id(), make_id()
    assert isinstance(one, uuid.UUID)
    assert one != other


def test_masks_are_4_bytes_and_differ() -> None:
    masks = [generate_mask() for _ in range(3 * utils._MASKS_AT_ONCE)]
    assert {len(mask) for mask in masks} == {4}
    # Of 768 random 32-bit numbers, two equal ones are a matter of luck; ten aren't.
    assert len(set(masks)) > len(masks) - 10


def test_no_byte_of_entropy_is_used_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(utils, "_masks", [])
    drawn = []

    def urandom(size: int) -> bytes:
        drawn.append(size)
        start = sum(drawn[:-1])
        return b"".join(
            i.to_bytes(4, "big") for i in range(start // 4, (start + size) // 4)
        )

    monkeypatch.setattr(os, "urandom", urandom)
    masks = [generate_mask() for _ in range(2 * utils._MASKS_AT_ONCE)]
    assert sum(drawn) == 4 * len(masks)
    assert len(set(masks)) == len(masks)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")
def test_a_forked_process_has_its_own_masks() -> None:
    generate_mask()
    parent = set(utils._masks)
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:  # pragma: no cover - the child isn't measured
        os.write(write, b"".join(generate_mask() for _ in range(8)))
        os._exit(0)
    os.close(write)
    data = os.read(read, 1024)
    os.close(read)
    os.waitpid(pid, 0)
    child = {data[i : i + 4] for i in range(0, len(data), 4)}
    assert len(data) == 32
    assert not child & parent


class FakeSocket:
    def __init__(self, name: object) -> None:
        self.name = name

    def getsockname(self) -> object:
        return self.name


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (("127.0.0.1", 80), "127.0.0.1:80"),
        (("::1", 8765, 0, 0), "[::1]:8765"),
        ("/run/ws.sock", "/run/ws.sock"),
        (b"\0abstract", "@abstract"),
    ],
)
def test_socket_names(name: object, text: str) -> None:
    assert get_socket_name(FakeSocket(name)) == text


def test_limit_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WEBSOCKETS_SOMETHING", raising=False)
    assert env_limit("SOMETHING", 5) == 5
    monkeypatch.setenv("WEBSOCKETS_SOMETHING", "42")
    assert env_limit("SOMETHING", 5) == 42


@pytest.mark.parametrize("text", ["", "many", "-1", "1.5", "1_000", "٣", " 1"])
def test_limit_that_is_no_number(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEBSOCKETS_SOMETHING", text)
    with pytest.raises(ValueError, match="WEBSOCKETS_SOMETHING must be a whole number"):
        env_limit("SOMETHING", 5)
