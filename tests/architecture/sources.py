"""The source files of the project as trees, for the tests that read code instead of running it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).parents[2]
"""Folder of the repository."""


@dataclass(frozen=True)
class Source:
    """One Python file.

    Attributes:
        path: Relative to the repository, with forward slashes: ``oms/domain/stage.py``.
        text: What it says.
    """

    path: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        """The parsed file."""
        return ast.parse(self.text, self.path)

    @property
    def is_package(self) -> bool:
        """True for ``__init__.py``."""
        return self.path.endswith("/__init__.py")

    @property
    def module(self) -> str:
        """Dotted name: ``oms.domain.stage``; a package has the name of its folder."""
        return self.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    def is_in(self, *rooms: str) -> bool:
        """Tell whether the file stands in one of *rooms*, each a path without suffix such as ``oms/legacy``."""
        return any(self.path == f"{room}.py" or self.path.startswith(f"{room}/") for room in rooms)

    def imports(self) -> Iterator[tuple[int, str]]:
        """Yield line and absolute dotted name of everything imported, at the top or inside a function."""
        package = self.module if self.is_package else self.module.rpartition(".")[0]
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from ((node.lineno, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                above = package.split(".")[: 1 - node.level or None] if node.level else []
                stem = ".".join([*above, *([node.module] if node.module else [])])
                yield from ((node.lineno, f"{stem}.{alias.name}") for alias in node.names)


def sources(folder: str = "oms") -> list[Source]:
    """Return every Python file below *folder*, sorted by path."""
    files = sorted((ROOT / folder).rglob("*.py"))
    return [Source(file.relative_to(ROOT).as_posix(), file.read_text(encoding="utf-8")) for file in files]
