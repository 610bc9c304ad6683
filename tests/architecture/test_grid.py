"""The tree is a grid: a row is a phase, a column is a room, and the row has the same name in each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path

import pytest

from oms.domain.phase import Seam
from oms.seams import PHASES
from tests.architecture.sources import ROOT

Rows = Callable[[Path], set[str]]


def modules(folder: str) -> Rows:
    """Rows of a room with one module, or one package, a phase."""

    def rows(root: Path) -> set[str]:
        return {path.stem for path in (root / folder).glob("*.py")} - {"__init__"} | folders_with(
            "__init__.py", folder
        )(root)

    return rows


def folders_with(pattern: str, folder: str) -> Rows:
    """Rows of a room with one folder a phase; a folder counts when it holds a file like *pattern*."""

    def rows(root: Path) -> set[str]:
        return {path.parent.name for path in (root / folder).glob(f"*/{pattern}")}

    return rows


def files(folder: str, suffix: str) -> Rows:
    """Rows of a room with one file a phase."""

    def rows(root: Path) -> set[str]:
        return {path.name.removesuffix(suffix) for path in (root / folder).glob(f"*{suffix}")}

    return rows


DECLARED: Mapping[str, Rows] = {
    "oms/seams/<phase>.py": modules("oms/seams"),
    "flags/<phase>.flagd.json": files("flags", ".flagd.json"),
}
"""Columns that every phase of the roadmap has from the first day."""

STARTED: Mapping[str, Rows] = {
    "oms/legacy_adapters/<phase>.py": modules("oms/legacy_adapters"),
    "oms/unified/<phase>/": folders_with("__init__.py", "oms/unified"),
    "tests/contract/<phase>/": folders_with("test_*.py", "tests/contract"),
    "tests/shadow/<phase>/": folders_with("test_*.py", "tests/shadow"),
    "docs/phases/<phase>.md": files("docs/phases", ".md"),
    "docs/migration/<phase>.md": files("docs/migration", ".md"),
}
"""Columns that a phase fills when its first seam is declared."""

BESIDE = {
    # Loads the rules of any phase from its <phase>.known.toml.
    ("oms/seams/<phase>.py", "known"),
    # The predicates of one phase, which are as many as all of the others together.
    ("oms/seams/<phase>.py", "resilience_known"),
    # The settings of the oms command itself, which are read directly and never routed.
    ("oms/unified/<phase>/", "config"),
}
"""Names that stand in a column beside the phases that have begun, and why."""


def started() -> set[str]:
    """Return the phases that have a seam."""
    return {
        name
        for name in PHASES
        if any(isinstance(value, Seam) for value in vars(import_module(f"oms.seams.{name}")).values())
    }


def gaps(root: Path, *, begun: set[str]) -> list[str]:
    """Return a line for each name that is missing in a column, or stands in one where it should not."""
    found = []
    for column, rows in {**DECLARED, **STARTED}.items():
        wanted = set(PHASES) if column in DECLARED else begun
        present = rows(root)
        beside = {name for at, name in BESIDE if at == column}
        found += [f"{column}: no {phase}" for phase in sorted(wanted - present)]
        found += [f"{column}: {row} is not a phase that has begun" for row in sorted(present - wanted - beside)]
    return found


def test_grid() -> None:
    """Each phase that has begun has its name in every column, and no column has another name."""
    found = gaps(ROOT, begun=started())

    assert [] == found, "\n".join(found)


def test_some_phase_has_begun() -> None:
    """The grid test looks at something: the cache phase has seams."""

    assert "cache" in started()


@pytest.mark.parametrize("name", PHASES)
def test_declared_phase(name: str) -> None:
    """The module of a phase declares the phase of that name, and only seams of its own."""
    values = vars(import_module(f"oms.seams.{name}")).values()

    assert PHASES[name] in values
    assert {name} >= {value.phase.name for value in values if isinstance(value, Seam)}


def build(root: Path, *, without: str = "", beside: str = "") -> None:
    """Lay out a whole grid of empty files with the cache phase begun, less one path, plus one."""
    every = [f"oms/seams/{name}.py" for name in PHASES] + [f"flags/{name}.flagd.json" for name in PHASES]
    cache = ["oms/legacy_adapters/cache.py", "oms/unified/cache/__init__.py", "tests/contract/cache/test_cache.py"]
    cache += ["tests/shadow/cache/test_cache.py", "docs/phases/cache.md", "docs/migration/cache.md"]
    for name in {*every, *cache, beside} - {without, ""}:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


@pytest.mark.parametrize(
    ("without", "gap"),
    [
        ("", None),
        ("oms/seams/security.py", "oms/seams/<phase>.py: no security"),
        ("flags/config.flagd.json", "flags/<phase>.flagd.json: no config"),
        ("oms/legacy_adapters/cache.py", "oms/legacy_adapters/<phase>.py: no cache"),
        ("oms/unified/cache/__init__.py", "oms/unified/<phase>/: no cache"),
        ("tests/contract/cache/test_cache.py", "tests/contract/<phase>/: no cache"),
        ("tests/shadow/cache/test_cache.py", "tests/shadow/<phase>/: no cache"),
        ("docs/phases/cache.md", "docs/phases/<phase>.md: no cache"),
        ("docs/migration/cache.md", "docs/migration/<phase>.md: no cache"),
    ],
)
def test_missing_name(tmp_path: Path, without: str, gap: str | None) -> None:
    """A name that is missing in one column is named with its column."""
    build(tmp_path, without=without)

    assert ([gap] if gap else []) == gaps(tmp_path, begun={"cache"})


def test_stray_name(tmp_path: Path) -> None:
    """A name that is no phase, or a phase that has not begun, is out of place; the settings of the command are not."""
    build(tmp_path, beside="oms/legacy_adapters/queue.py")
    build(tmp_path, beside="docs/phases/security.md")
    build(tmp_path, beside="oms/unified/config/__init__.py")

    assert [
        "oms/legacy_adapters/<phase>.py: queue is not a phase that has begun",
        "docs/phases/<phase>.md: security is not a phase that has begun",
    ] == gaps(tmp_path, begun={"cache"})
