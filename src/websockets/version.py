"""Floor 0, words: the one version number, and what tools derive from it."""

from __future__ import annotations

__all__ = ["commit", "released", "tag", "version"]

#: Whether this is a release; development versions carry ``.dev`` instead.
released = True

#: The version of the package and of the API it follows.
version = "15.1.0"

#: The tag of this version in the repository.
tag = version

#: The commit that this version was built from, when that is known.
commit: str | None = None
