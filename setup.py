"""Builds the hot path with Cython, where there is a C compiler.

The modules listed below are the plain Python ones, compiled as they are; a .pxd
file beside each gives its variables types. Two more, speedups and shortcuts, are
written for the compiled build alone. All of them are compiled or none is: they know
each other's layout.

The environment variable WEBSOCKETS_SPEEDUPS decides: 1 insists on compiling, 0
installs plain Python, and without it compiling is tried. With SOURCE_DATE_EPOCH, the
same source makes the same archive, byte by byte.
"""

from __future__ import annotations

import gzip
import os
import platform
import sys
import tarfile
from typing import Any

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.command.sdist import sdist

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

# What compilers are told beyond their defaults, by the name that setuptools has for
# them. Microsoft's optimizes, and leaves debugging information away, by itself.
FLAGS = {"unix": ["-O3", "-g0"], "mingw32": ["-O3", "-g0"]}

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
    sources = {
        **{name.replace("/", "."): f"{name}.py" for name in MODULES},
        **{name.replace("/", "."): f"{name}.pyx" for name in POINTERS},
    }
    return [
        Extension(f"websockets.{name}", [f"src/websockets/{source}"])
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

    def build_extensions(self) -> None:
        """Compile, now that the compiler is known."""
        for extension in self.extensions:
            extension.extra_compile_args = FLAGS.get(self.compiler.compiler_type, [])
        super().build_extensions()

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


class ReproducibleSdist(sdist):
    """Makes an archive that depends on nothing but the files' contents."""

    def make_archive(
        self, base_name: str, format: str, *args: Any, **kwargs: Any
    ) -> str:
        """Make the archive; as setuptools does unless SOURCE_DATE_EPOCH is set."""
        date = os.environ.get("SOURCE_DATE_EPOCH")
        if date is None or format != "gztar":
            made: str = super().make_archive(base_name, format, *args, **kwargs)
            return made

        def neutral(member: tarfile.TarInfo) -> tarfile.TarInfo:
            member.mtime = int(date)
            member.uid = member.gid = 0
            member.uname = member.gname = ""
            member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
            return member

        path = f"{base_name}.tar.gz"
        self.mkpath(os.path.dirname(path))
        with (
            open(path, "wb") as file,
            gzip.GzipFile("", "wb", fileobj=file, mtime=int(date)) as packed,
            tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
        ):
            tar.add(kwargs["base_dir"], filter=neutral)
        return path


COMMANDS = {"build_ext": BuildAllOrNothing, "sdist": ReproducibleSdist}
options: dict[str, Any] = {"ext_modules": find_extensions()}
setup(cmdclass=COMMANDS, **options)
