"""Types that signatures are written in (websockets.typing)."""

from __future__ import annotations

import http
import logging

import pytest

from websockets import typing as t


def test_all_names_exist() -> None:
    assert [name for name in t.__all__ if not hasattr(t, name)] == []


@pytest.mark.parametrize(
    ("value", "alias"),
    [
        ("text", t.Data),
        (b"binary", t.Data),
        (b"binary", t.BytesLike),
        (bytearray(b"binary"), t.BytesLike),
        (memoryview(b"binary"), t.BytesLike),
        (logging.getLogger("x"), t.LoggerLike),
        (200, t.StatusLike),
        (http.HTTPStatus.OK, t.StatusLike),
    ],
)
def test_unions_work_with_isinstance(value: object, alias: type) -> None:
    args = getattr(alias, "__args__", (alias,))
    # The generic alias of LoggerAdapter is for type checkers only.
    assert isinstance(value, tuple(a for a in args if isinstance(a, type)))


def test_received_data_is_str_or_bytes() -> None:
    assert t.Data.__args__ == (str, bytes)


@pytest.mark.parametrize(
    "name",
    ["Origin", "Subprotocol", "ExtensionName", "ConnectionOption", "UpgradeProtocol"],
)
def test_new_types_are_str(name: str) -> None:
    new_type = getattr(t, name)
    assert new_type("x") == "x"
    assert new_type.__supertype__ is str
