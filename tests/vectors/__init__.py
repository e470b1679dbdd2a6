"""Frames as data: what comes on the wire, and what a reader must make of it.

``frames.json`` is a list of objects with these members:

``name``
    What it is about, unique.
``role``
    Who reads: "server", for whom frames must be masked, or "client".
``wire``
    The bytes received, as hexadecimal; ``61*300`` stands for 300 times the same.
``limits``
    ``max_size`` of a message, ``max_frame_size`` and ``max_fragments``, where there
    are any.
``frames``
    What is read before the error, if there is one: opcode, payload like ``wire``, and
    whether it's the last frame of its message.
``error``
    What is wrong: the type of the error, its text (null where Python words it), the
    close code to send, and who notices: "reader" where a frame can't be read;
    "protocol" where it can but its close code or reason is wrong.
``incomplete``
    Whether ``wire`` ends inside a frame; it doesn't unless this says so.
"""

from __future__ import annotations

import json
import pathlib
from typing import Any, NamedTuple

__all__ = ["Error", "Frame", "Vector", "load_frames"]


class Frame(NamedTuple):
    """A frame to be read."""

    opcode: int
    payload: bytes
    fin: bool


class Error(NamedTuple):
    """An error to be raised, and what it means on the wire."""

    type: str
    text: str | None
    close_code: int
    noticed_by: str


class Vector(NamedTuple):
    """Bytes received, and what they must be taken for."""

    name: str
    role: str
    wire: bytes
    limits: dict[str, int]
    frames: list[Frame]
    error: Error | None
    incomplete: bool


def load_frames() -> list[Vector]:
    """Return what is in ``frames.json``."""
    path = pathlib.Path(__file__).with_name("frames.json")
    return [_load(**item) for item in json.loads(path.read_text("ascii"))]


def _load(
    name: str,
    role: str,
    wire: str,
    frames: list[list[Any]],
    limits: dict[str, int] | None = None,
    error: list[Any] | None = None,
    incomplete: bool = False,
) -> Vector:
    return Vector(
        name,
        role,
        _expand(wire),
        limits or {},
        [Frame(opcode, _expand(payload), fin) for opcode, payload, fin in frames],
        Error(*error) if error else None,
        incomplete,
    )


def _expand(text: str) -> bytes:
    """Turn "0a 61*3" into bytes."""
    parts = (item.partition("*") for item in text.split())
    return b"".join(bytes.fromhex(part) * int(times or 1) for part, _, times in parts)
