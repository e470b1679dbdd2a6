"""How Sphinx builds the documentation: ``python3 dev.py docs``."""

from __future__ import annotations

import websockets

project = "websockets"
author = "The websockets developers"
project_copyright = author
release = version = websockets.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
]
exclude_patterns = ["_build"]
default_role = "literal"

# Nothing is fetched while building: links to Python's documentation are written
# out, and no inventory of it is needed.
html_theme = "furo"
html_title = f"websockets {release}"
html_copy_source = False

# Docstrings are read after "Attributes:", "Args:" and so on; an attribute that is
# also a property is described once.
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True

autodoc_default_options = {"members": True, "show-inheritance": True}
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented_params"
autodoc_class_signature = "mixed"
