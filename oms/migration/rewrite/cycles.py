"""Files that importing the target runs: an import of the target in one of them would be a cycle."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from oms.migration.scan.source import Source, always, read_source


def imported_by(target: str, root: Path) -> frozenset[Path]:
    """Return the files that importing module *target* runs, itself and its packages included; none if *root* does not hold it.

    Looked for below *root*, below ``src`` in it, and where the package that *root* belongs to starts. Imports inside functions are left out:
    they run later.
    """
    for top in dict.fromkeys((root.resolve(), (root / "src").resolve(), _package_top(root.resolve()))):
        if _module_file(top, target) is not None:
            return frozenset(_closure(top, target))
    return frozenset()


def _closure(top: Path, target: str) -> set[Path]:
    found: set[Path] = set()
    todo = _files(top, target)
    while todo:
        file = todo.pop()
        if file not in found:
            found.add(file)
            todo += [each for name in _imports(file, top) for each in _files(top, name)]
    return found


def _imports(file: Path, top: Path) -> Iterator[str]:
    """Yield the dotted names that *file* imports when it is imported; of ``from a import b`` both ``a`` and ``a.b``."""
    source = read_source(file, file.name, wanted=always)
    package = list(file.relative_to(top).parent.parts)
    if not isinstance(source, Source) or source.tree is None:
        return
    todo: list[ast.AST] = [source.tree]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            around = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*around, *([node.module] if node.module else [])])
            yield module
            yield from (f"{module}.{name.name}" for name in node.names)
        elif not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            todo += ast.iter_child_nodes(node)


def _files(top: Path, module: str) -> list[Path]:
    """Return the files that importing *module* runs first: its packages from the top, then itself."""
    parts = module.split(".")
    steps = (".".join(parts[: depth + 1]) for depth in range(len(parts)))
    return [file for step in steps if (file := _module_file(top, step)) is not None]


def _module_file(top: Path, module: str) -> Path | None:
    place = top.joinpath(*module.split("."))
    for file in (place / "__init__.py", place.with_name(f"{place.name}.py")):
        if file.is_file():
            return file
    return None


def _package_top(folder: Path) -> Path:
    while (folder / "__init__.py").is_file() and folder.parent != folder:
        folder = folder.parent
    return folder
