"""How Sphinx builds the documentation: ``python3 dev.py docs``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.ext.napoleon import Config
from sphinx.ext.napoleon.docstring import GoogleDocstring
from sphinx.util.nodes import make_refnode

import websockets

project = "websockets"
author = "The websockets developers"
project_copyright = author
release = version = websockets.__version__

# For the directive of rules.py.
sys.path.insert(0, str(Path(__file__).resolve().parent))

extensions = ["myst_parser", "sphinx.ext.autodoc", "rules"]
exclude_patterns = ["_build"]
default_role = "literal"

html_theme = "furo"
html_title = f"websockets {release}"
html_copy_source = False

autodoc_default_options = {"members": True}
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented_params"

DOCSTRINGS = Config(napoleon_use_ivar=True, napoleon_use_rtype=False)

# Nobody writes Connect and Serve: show these classes under the names that are called.
for function in ["connect", "serve"]:
    shown: Any = getattr(websockets, function)
    shown.__name__ = shown.__qualname__ = function


def read_sections(
    app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]
) -> None:
    """Turn the "Args:", "Raises:" and other sections of a docstring into markup."""
    # Napoleon as an extension takes "Text: more text" in the docstring of a property
    # for a type and a description, and reads no sections there.
    what = what if what in ("module", "class", "exception") else "method"
    if what == "module":
        # On which floor a module is matters to those who read its source.
        first = lines[0].partition(": ")[2] or lines[0]
        lines[0] = first[:1].upper() + first[1:]
    docstring = GoogleDocstring(lines, DOCSTRINGS, app, what, name, obj, options)
    lines[:] = docstring.lines()


def find_elsewhere(
    app: Sphinx, env: BuildEnvironment, node: Any, content: Any
) -> nodes.reference | None:
    """Link a name without its module, if there is just one of that name."""
    if node.get("refdomain") != "py":
        return None
    suffix = "." + node["reftarget"]
    objects = env.domains.python_domain.objects
    found = [full for full in objects if full.endswith(suffix)]
    if len(found) != 1:
        return None
    entry = objects[found[0]]
    return make_refnode(
        app.builder, node["refdoc"], entry.docname, entry.node_id, content, found[0]
    )


def setup(app: Sphinx) -> None:
    """Connect the two functions above."""
    app.connect("autodoc-process-docstring", read_sections)
    app.connect("missing-reference", find_elsewhere)
