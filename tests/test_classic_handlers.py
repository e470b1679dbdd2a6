"""Classic handlers, which may take the path or not."""

from __future__ import annotations

import functools
from typing import Any
from unittest import mock

import pytest

from websockets.classic import handlers
from websockets.classic.handlers import without_path


class Connection:
    path = "/path"


def one(connection: Any) -> Any:
    return ("one",)


def two(connection: Any, path: str) -> Any:
    return ("two", path)


class Methods:
    def one(self, connection: Any) -> Any:
        return ("one",)

    def two(self, connection: Any, path: str) -> Any:
        return ("two", path)


class Unhashable:
    __hash__ = None  # type: ignore[assignment]

    def __call__(self, connection: Any, path: str) -> Any:
        return ("two", path)


@pytest.mark.parametrize(
    "handler, answer",
    [
        (one, ("one",)),
        (two, ("two", "/path")),
        (Methods().one, ("one",)),
        (Methods().two, ("two", "/path")),
        (Unhashable(), ("two", "/path")),
        (functools.partial(two, path="x"), ("two", "x")),
        (mock.Mock(return_value=("mock",)), ("mock",)),
        (lambda *args: args[1:], ()),
    ],
)
def test_handlers(handler: Any, answer: Any) -> None:
    for _ in range(2):
        assert without_path(handler)(Connection()) == answer


def test_what_was_wrapped_already() -> None:
    wrapped = without_path(two)
    assert without_path(wrapped) is wrapped


def test_a_method_is_looked_at_once() -> None:
    """Frameworks hand in a method for each connection."""
    without_path(Methods().two)
    with mock.patch.object(handlers.inspect, "signature", side_effect=AssertionError):
        assert without_path(Methods().two)(Connection()) == ("two", "/path")


def test_callables_that_do_not_tell() -> None:
    with mock.patch.object(handlers.inspect, "signature", side_effect=ValueError):
        handler = functools.partial(one)
        assert without_path(handler) is handler


@pytest.mark.parametrize("handler", [None, 42, "handler"])
def test_what_cannot_be_called(handler: Any) -> None:
    with pytest.raises(TypeError, match="must be a function"):
        without_path(handler)


@pytest.mark.parametrize(
    "handler", [lambda: None, lambda a, b, c: None, lambda *, websocket: None]
)
def test_what_takes_other_parameters(handler: Any) -> None:
    with pytest.raises(TypeError, match="must take one parameter"):
        without_path(handler)
