"""The directive ``rules``: tables of the RFCs' rules, from ``tests/rfc``."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from rfc import HERE, KEPT, TABLES, Rule, load

HEAD = """\
.. list-table::
    :header-rows: 1
    :widths: 20 80

    * - At
      - Rule, and the tests that show it
"""

ROW = """\
    * - | {at}
        | {key}
        | {who}
      - {rule}

        {tests}
"""


class Rules(SphinxDirective):
    """Show a table, or a chapter of it; with "counts", how many rules are kept."""

    required_arguments = 1
    optional_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Make the table."""
        table, *chapters = self.arguments
        for name in TABLES[table]:
            self.env.note_dependency(str(HERE / name))
        rules = load(table)
        if chapters == ["counts"]:
            return self.parse_text_to_nodes(count(rules))
        if chapters:
            rules = [r for r in rules if r.section.split(".")[0] == chapters[0]]
        return self.parse_text_to_nodes(HEAD + "".join(map(show, rules)))


def show(rule: Rule) -> str:
    """Return the row of a rule."""
    text = rule.says
    if rule.kept != "kept":
        text = f"{text} **{rule.kept.capitalize()}.**"
    return ROW.format(
        at=rule.at.replace("RFC ", ""),
        key=rule.key,
        who=rule.who,
        rule=escape(f"{text} {rule.why}".strip()),
        tests="\n        ".join(f"| ``{test}``" for test in rule.tests),
    )


def escape(text: str) -> str:
    """Keep backslashes and underscores what they are."""
    return text.replace("\\", "\\\\").replace("_", r"\_")


def count(rules: list[Rule]) -> str:
    """Return a sentence that says how many rules are kept."""
    words = Counter(rule.kept for rule in rules)
    tests = {test for rule in rules for test in rule.tests}
    found = ", ".join(f"{words[kept]} {kept}" for kept in KEPT if words[kept])
    return f"{len(rules)} rules: {found}. {len(tests)} tests show them."


def setup(app: Sphinx) -> None:
    """Add the directive."""
    app.add_directive("rules", Rules)
