"""The rules of the RFCs as data: each with the tests that show it, or a reason.

``tests/test_rfc.py`` checks the data, ``docs/rules.py`` makes tables of it. A rule has:

- ``at``: section and number: ``#3`` is the third sentence of the section that has a
  key word of RFC 2119, ``(3)`` is something else that is demanded there;
- ``key``: the key words in it, in order;
- ``who``: ``client``, ``server`` or ``both``;
- ``kept``: ``kept`` if it isn't there; ``partly``; ``not kept``; ``not used`` for what
  is left to us; ``not ours`` for what others have to do;
- ``says``: the rule in short, in our words;
- ``why``: a reason, needed for all that isn't kept;
- ``tests``: names of tests, as pytest has them below ``tests``; needed for what is
  kept.
"""

from __future__ import annotations

import dataclasses
import tomllib
from pathlib import Path
from typing import Any

__all__ = ["HERE", "KEPT", "TABLES", "Rule", "load", "load_keywords"]

HERE = Path(__file__).resolve().parent

#: The files of each table.
TABLES = {
    "rfc6455": [
        "rfc6455_client.toml",
        "rfc6455_server.toml",
        "rfc6455_frames.toml",
        "rfc6455_closing.toml",
    ],
    "rfc7692": ["rfc7692.toml"],
    "http": ["http.toml"],
}

#: What ``kept`` can be.
KEPT = ("kept", "partly", "not kept", "not used", "not ours")


@dataclasses.dataclass(frozen=True)
class Rule:
    """A rule; see above."""

    at: str
    who: str
    says: str
    key: str = ""
    kept: str = "kept"
    why: str = ""
    tests: tuple[str, ...] = ()

    @property
    def section(self) -> str:
        """The section that it stands in."""
        return self.at.rpartition(" ")[0]

    @property
    def keys(self) -> list[str]:
        """Its key words, in order."""
        return self.key.split(", ") if self.key else []


def _order(rule: Rule) -> list[int]:
    return [int(part) for part in rule.section.split(".")]


def load(table: str) -> list[Rule]:
    """Return the rules of a table; those of an RFC in the order of its sections."""
    rules = []
    for name in TABLES[table]:
        data: dict[str, Any] = tomllib.loads((HERE / name).read_text(encoding="utf-8"))
        for item in data["rule"]:
            rules.append(Rule(**{**item, "tests": tuple(item.get("tests", ()))}))
    return rules if table == "http" else sorted(rules, key=_order)


def load_keywords() -> dict[str, dict[str, dict[str, int]]]:
    """Return how often key words stand in the sections of each RFC."""
    return tomllib.loads((HERE / "keywords.toml").read_text(encoding="utf-8"))
