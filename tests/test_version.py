"""The version number (websockets.version)."""

from __future__ import annotations

import re

import websockets
from websockets import version


def test_version_is_a_release_number() -> None:
    assert re.fullmatch(r"[0-9]+\.[0-9]+(\.[0-9]+)?(\.dev[0-9]+)?", version.version)
    assert version.released is (".dev" not in version.version)


def test_the_package_tells_its_version() -> None:
    assert vars(websockets)["__version__"] == version.version == version.tag


def test_commit_is_text_or_unknown() -> None:
    assert version.commit is None or re.fullmatch(r"[0-9a-f]+", version.commit)


def test_comparisons_with_17_take_the_branch_that_fits() -> None:
    # Frameworks compare the text with "17.0" to know how headers are decoded.
    assert version.version < "17.0"
