"""Builds the hot path with Cython, where there is a C compiler.

The modules listed below are the plain Python ones, compiled as they are; a .pxd
file beside each gives its variables types. Two more, speedups and shortcuts, are
written for the compiled build alone. All of them are compiled or none is: they know
each other's layout.

The environment variable WEBSOCKETS_SPEEDUPS decides: 1 insists on compiling, 0
installs plain Python, and without it compiling is tried.
"""

from __future__ import annotations

import os
import platform
import sys
from typing import Any

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

MODULES = [
    "reader",
    "protocol",
    "session/inbox",
    "session/clock",
    "session/session",
    "asyncio/loops",
    "asyncio/waiters",
    "asyncio/engine",
    "asyncio/connection",
    "asyncio/broadcasting",
]

# What is written for the compiled build: a plain Python module of the same name
# takes its place otherwise.
POINTERS = ["speedups", "asyncio/shortcuts"]

CHOICE = os.environ.get("WEBSOCKETS_SPEEDUPS", "")

DIRECTIVES = {
    "language_level": 3,
    # The .pxd files say what is typed, not the annotations.
    "annotation_typing": False,
    "initializedcheck": False,
}


def say(text: str) -> None:
    """Print one clear line."""
    print(f"websockets: {text}", file=sys.stderr, flush=True)


def find_extensions() -> list[Extension]:
    """Return what to compile."""
    if CHOICE == "0" or platform.python_implementation() != "CPython":
        return []
    flags = [] if sys.platform == "win32" else ["-O3", "-g0"]
    sources = {
        **{name.replace("/", "."): f"{name}.py" for name in MODULES},
        **{name.replace("/", "."): f"{name}.pyx" for name in POINTERS},
    }
    return [
        Extension(
            f"websockets.{name}",
            [f"src/websockets/{source}"],
            extra_compile_args=flags,
        )
        for name, source in sources.items()
    ]


class BuildAllOrNothing(build_ext):
    """Compiles all extensions, or leaves the plain Python modules alone."""

    def finalize_options(self) -> None:
        """Compile on all processors."""
        super().finalize_options()
        self.parallel = self.parallel or os.cpu_count()

    def run(self) -> None:
        """Compile, unless that's impossible and not insisted on."""
        if self.editable_mode or self.inplace:
            # Binaries beside the sources would hide every later edit.
            self._drop_all()
            say("an editable installation runs plain Python")
            return
        try:
            self._translate()
            super().run()
        except Exception as exc:
            if CHOICE == "1":
                raise
            self._drop_all()
            say(f"installing plain Python, since compiling failed: {exc}")
        else:
            if self.extensions:
                say(f"compiled {len(self.extensions)} modules")

    def _translate(self) -> None:
        """Have Cython make C of the sources."""
        from Cython.Build import cythonize

        translated = cythonize(
            [Extension(item.name, list(item.sources)) for item in self.extensions],
            build_dir="build/cython",
            compiler_directives=DIRECTIVES,
        )
        for extension, made in zip(self.extensions, translated, strict=True):
            extension.sources = made.sources

    def _drop_all(self) -> None:
        """Remove what was compiled before something failed."""
        for extension in self.extensions:
            path = self.get_ext_fullpath(extension.name)
            if os.path.exists(path):
                os.remove(path)
        self.extensions = []
        self.distribution.ext_modules = []

    def get_outputs(self) -> list[str]:
        """Return the files that were made."""
        outputs: list[str] = super().get_outputs() if self.extensions else []
        return outputs


options: dict[str, Any] = {"ext_modules": find_extensions()}
setup(cmdclass={"build_ext": BuildAllOrNothing}, **options)
