"""Compression: what comes is inflated within its limits, what goes can be inflated."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from ..builds import find_builds
from ..model import Fault, Inflater, UnclearError
from ..recipe import Recipe

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent / "tests"))

from strict_inflate import StrictInflater

LIMITS = (None, 0, 1, 100, 5000, 2**20, 2**63)
REPEATS = (1, 1, 3, 40, 300)


def check(data: bytes) -> None:
    """Receive these bytes, or send them."""
    recipe = Recipe(data)
    kind = recipe.byte()
    if kind & 1:
        _check_sending(recipe, kind)
    else:
        _check_receiving(recipe)


def exercise(data: bytes) -> None:
    """Inflate this in frames of all sizes."""
    for size in len(data) or 1, 100:
        extension = _make(False, False, 15, 15)
        pieces = [data[i : i + size] for i in range(0, len(data), size)]
        try:
            for piece in pieces:
                extension.inflate(piece, False, 2**20)
            extension.inflate(b"", True, 2**20)
        except Exception as exc:
            assert type(exc).__name__ in ("PayloadTooBig", "ProtocolError")


def _make(*arguments: Any, **options: Any) -> Any:
    module = find_builds()[-1].module("extensions.permessage_deflate")
    return module.PerMessageDeflate(*arguments, **options)


def find_libraries() -> list[str]:
    """Return the libraries for deflate that are installed."""
    find = find_builds()[-1].module("extensions.deflate").find_library
    found = []
    for name in "zlib", "isal", "zlib-ng":
        try:
            found.append(find(name))
        except ImportError:
            continue
    return found


# --- Receiving ------------------------------------------------------------------


def _check_receiving(recipe: Recipe) -> None:
    flags = recipe.byte()
    forgets, bits = bool(flags & 1), 15 if flags & 2 else 8 + recipe.byte() % 8
    extension = _make(forgets, False, bits, 15)
    model = Inflater(forgets)
    while recipe:
        head, limit = recipe.byte(), recipe.choose(LIMITS)
        fin = bool(head & 1)
        data = recipe.take(recipe.byte()) * (REPEATS[head >> 1 & 3])
        expected = _inflate_with_model(model, data, fin, limit)
        if expected == "unclear":
            return
        found = _inflate(extension, data, fin, limit)
        if bits < 15 and found == 1002 and type(expected) is bytes:
            # It may refer to what is outside of the smaller window.
            return
        assert found == expected, (found, expected)
        if type(found) is int:
            return
        if head & 128:
            extension.release()
        # What is kept doesn't depend on what came.
        assert len(extension._history) <= 3 << bits >> 1


def _inflate_with_model(model: Inflater, data: bytes, fin: bool, limit: Any) -> Any:
    try:
        return model.inflate(data, fin, limit)
    except Fault as fault:
        return fault.args[0]
    except UnclearError:
        return "unclear"


def _inflate(extension: Any, data: bytes, fin: bool, limit: Any) -> Any:
    try:
        content = extension.inflate(data, fin, limit)
    except Exception as exc:
        return {"PayloadTooBig": 1009, "ProtocolError": 1002}[type(exc).__name__]
    assert limit is None or len(content) <= limit
    return content


# --- Sending --------------------------------------------------------------------


def _check_sending(recipe: Recipe, kind: int) -> None:
    forgets, bits = bool(kind & 2), 15 if kind & 4 else 8 + recipe.byte() % 8
    settings = {"memLevel": 1 + recipe.byte() % 9} if kind & 8 else None
    library = recipe.choose(find_libraries())
    sender = _make(False, forgets, 15, bits, settings, library=library)
    receiver = _make(forgets, False, bits, 15)
    model = Inflater(forgets)
    strict = StrictInflater(1 << bits)
    while recipe:
        head = recipe.byte()
        fin = bool(head & 1)
        data = recipe.take(recipe.byte()) * REPEATS[(head >> 1) % 5 if head & 8 else 0]
        payload = sender.deflate(data, fin)
        if not fin and not payload:
            assert not data
        assert receiver.inflate(payload, fin, None) == data
        assert model.inflate(payload, fin, None) == data
        if len(data) < 5000 and kind & 16:
            # zlib doesn't notice who refers back too far; this one does.
            assert strict.inflate(payload + (b"\0\0\xff\xff" if fin else b"")) == data
        else:
            strict.output += data
        if fin and forgets:
            del strict.output[:]
        if head & 64 and fin:
            sender.release()
        if head & 128 and fin:
            sender.drop_encoder()
