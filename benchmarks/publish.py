"""The documentation's share: tables and plots, drawn from a run's JSON alone.

Run by itself, it draws those of an earlier run again::

    python benchmarks/publish.py FILE
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from contenders import ROOT
from environments import ENVS, HERE, call, clean_variables, prepare_environment
from report import show_environments

TARGET = ROOT / "docs" / "topics" / "performance"

#: Headings of the page, and which scenarios stand below them.
GROUPS = {
    "Servers: echo": ("echo/",),
    "Servers: one way": ("receive/", "send/", "broadcast/"),
    "Servers: compression": ("deflate-",),
    "Servers: TLS": ("tls-",),
    "Servers: connections": ("connect/", "memory/", "import/"),
    "Clients": ("client/",),
    "As the work grows": ("growth/",),
    "Instructions": ("instructions/",),
}

#: What docs/ keeps of a run's JSON: all but the single runs.
KEPT = ("machine", "plan", "environments", "missing", "failures", "verdicts", "cells")

#: And of a run that was extended.
EXTENSIONS = "more"

Document = dict[str, Any]


def underline(text: str, mark: str) -> str:
    """Return a heading."""
    return f"{text}\n{mark * len(text)}\n"


def make_rst_table(rows: list[list[str]]) -> str:
    """Return a table: texts to the left, figures to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    rule = "  ".join("=" * width for width in widths)
    lines = []
    for row in rows:
        cells = [f"{text:<{width}}" for text, width in zip(row, widths, strict=True)]
        lines.append("  ".join(cells).rstrip())
    return "\n".join([rule, lines[0], rule, *lines[1:], rule, ""])


def make_context(document: Document) -> str:
    """Return what has to be known of a run: command, machine, versions."""
    machine, plan = document["machine"], document["plan"]
    shown = ("command", "at", "commit", "system", "cpu", "python")
    lines = [f"{name + ':':<10}{machine[name]}" for name in shown]
    lines.append(f"rounds:   {plan['rounds']} of {plan['seconds']} s")
    for more in document.get(EXTENSIONS, []):
        for name in more["scenarios"]:
            text = f"{more['rounds']} rounds more of {name}"
            if "commit" in more:
                text = f"{more['rounds']} rounds of {name} instead, at {more['commit']}"
            lines.append(f"and:      {text}")
    load = ", ".join(f"{value:.1f}" for value in machine["load_average"])
    lines += [f"load:     {load} (before it began)", "environments:"]
    lines += show_environments(document["environments"]).splitlines()
    text = "\n".join(f"    {line}" for line in lines)
    notes = []
    if plan["rounds"] < 3 or plan["cap"] is not None:
        notes.append(
            "This was a **quick run**, to try the instrument out: one digit of its\n"
            "figures is worth reading, if that.\n"
        )
    for name, why in document["missing"].items():
        notes.append(f"`{name}` was left out: {why}.\n")
    for loop, scenario, peer, reason in document["failures"]:
        first = reason.splitlines()[0].replace("`", "'").replace("*", "")
        notes.append(f"`{peer}` failed in `{scenario}` on {loop}: ``{first}``\n")
    return "\n".join([f".. code-block:: none\n\n{text}\n", *notes])


def find_plots(prefix: str) -> list[Path]:
    """Return the plots that belong to a group."""
    return sorted(TARGET.glob(f"{prefix.rstrip('/-')}-*.svg"))


def make_group(document: Document, title: str, prefixes: tuple[str, ...]) -> str:
    """Return a heading with its plots and tables; nothing if there are none."""
    parts = []
    for loop, scenario, rows in document["tables"]:
        if scenario.startswith(prefixes):
            parts.append(f"`{scenario}` on {loop}:\n\n{make_rst_table(rows)}")
    if not parts:
        return ""
    plots = [plot for prefix in prefixes for plot in find_plots(prefix)]
    images = [
        f".. image:: performance/{plot.name}\n   :alt: {plot.stem}\n" for plot in plots
    ]
    return "\n".join([underline(title, "~"), *images, *parts])


def make_files(document: Document) -> Iterator[tuple[str, str]]:
    """Yield name and content of each file that the page includes."""
    yield "context.inc", make_context(document)
    yield "verdicts.inc", make_rst_table(document["verdicts"])
    groups = [make_group(document, *group) for group in GROUPS.items()]
    yield "tables.inc", "\n".join(filter(None, groups))


def shorten(value: Any) -> Any:
    """Return the same with five digits of each number."""
    if isinstance(value, float):
        return float(f"{value:.5g}")
    if isinstance(value, dict):
        return {key: shorten(each) for key, each in value.items()}
    return [shorten(each) for each in value] if isinstance(value, list) else value


def make_json(document: Document) -> str:
    """Return what docs/ keeps of a run, a cell a line; files' places are left out."""
    kept = {key: shorten(document[key]) for key in KEPT}
    if EXTENSIONS in document:
        kept[EXTENSIONS] = document[EXTENSIONS]
    for name in ("python", "loadgen"):
        kept["plan"].pop(name, None)
    cells = ",\n".join(json.dumps(cell) for cell in kept.pop("cells"))
    return json.dumps(kept, indent=1)[:-2] + f',\n "cells": [\n{cells}\n ]\n}}\n'


def draw_plots(document: Document) -> None:
    """Draw the plots, with matplotlib in an environment of its own."""
    python = ENVS / "plots" / "bin" / "python"
    if not python.exists():
        prepare_environment("plots")
    data = ENVS / "published.json"
    data.write_text(json.dumps(document))
    command = [str(python), str(HERE / "plots.py"), str(data), str(TARGET)]
    call(command, clean_variables({"MPLCONFIGDIR": str(ENVS / "plots")}))


def publish(document: Document) -> None:
    """Replace what docs/ has of the benchmark.

    Args:
        document: what a run came to, as in its JSON file.

    Raises:
        SetupError: if the plots cannot be drawn.

    """
    TARGET.mkdir(exist_ok=True)
    for old in [*TARGET.glob("*.inc"), *TARGET.glob("*.svg"), *TARGET.glob("*.json")]:
        old.unlink()
    draw_plots(document)
    for name, text in make_files(document):
        (TARGET / name).write_text(text.rstrip() + "\n")
    (TARGET / "run.json").write_text(make_json(document))
    print(f"written: {TARGET.relative_to(ROOT)}")


if __name__ == "__main__":
    publish(json.loads(Path(sys.argv[1]).read_text()))
