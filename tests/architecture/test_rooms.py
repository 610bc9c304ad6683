"""What the import contracts cannot say: which room speaks which foreign tongue, and how large and how named a module may be."""

from __future__ import annotations

import ast
import sys
from pathlib import PurePosixPath

import pytest

from tests.architecture.sources import Source, sources

VAGUE = {"utils", "util", "helpers", "helper", "common", "manager", "managers", "base", "misc"}
MAX_LINES = 350


def speakers(tongue: str, *rooms: str) -> list[str]:
    """Return ``file:line`` of each import of *tongue* outside *rooms*; legacy speaks as it always did."""
    return [
        f"{source.path}:{line}"
        for source in sources()
        if not source.is_in("oms/legacy", *rooms)
        for line, name in source.imports()
        if name == tongue or name.startswith(f"{tongue}.")
    ]


@pytest.mark.parametrize(
    ("tongue", "room"),
    [
        ("openfeature", "oms/flagging"),
        ("sqlite3", "oms/journal"),
        ("jinja2", "oms/console"),
        ("pygal", "oms/console"),
    ],
)
def test_tongue(tongue: str, room: str) -> None:
    """One room speaks each foreign tongue."""
    found = speakers(tongue, room)

    assert [] == found, "\n".join(found)


def test_domain_imports() -> None:
    """The domain imports the standard library and itself."""
    foreign = [
        f"{source.path}:{line} {name}"
        for source in sources("oms/domain")
        for line, name in source.imports()
        if name.partition(".")[0] not in sys.stdlib_module_names and not name.startswith("oms.domain")
    ]

    assert [] == foreign, "\n".join(foreign)


def environment_accesses(source: Source) -> list[str]:
    """Return ``file:line`` of each mention of the process environment."""
    direct = {"environ", "environb", "getenv", "getenvb", "putenv", "unsetenv"}
    attributes = [
        node.lineno
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Attribute)
        and node.attr in direct
        and isinstance(node.value, ast.Name)
        and node.value.id in ("os", "posix")
    ]
    imported = [line for line, name in source.imports() if name.partition(".")[::2] in {("os", one) for one in direct}]
    return [f"{source.path}:{line}" for line in sorted(attributes + imported)]


def test_environment() -> None:
    """The environment is read in oms.unified.config; legacy and its adapters keep the idioms that they translate."""
    rooms = ("oms/unified/config", "oms/legacy", "oms/legacy_adapters")
    found = [access for source in sources() if not source.is_in(*rooms) for access in environment_accesses(source)]

    assert [] == found, "\n".join(found)


def test_environment_is_seen() -> None:
    """Each spelling of an environment access is recognised, so that the test above can fail."""
    spellings = [
        "import os; os.environ['A']",
        "import os; os.getenv('A')",
        "from os import environ",
        "from os import getenv as g",
    ]

    assert [["x.py:1"]] * len(spellings) == [environment_accesses(Source("x.py", text)) for text in spellings]


def test_names() -> None:
    """No module is named after nothing in particular."""
    vague = [
        source.path
        for source in sources()
        if not source.is_in("oms/legacy") and VAGUE & set(PurePosixPath(source.path).with_suffix("").parts)
    ]

    assert [] == vague, "\n".join(vague)


def test_sizes() -> None:
    """A module is small enough to have one subject."""
    large = [
        f"{source.path} has {lines} lines, wanted at most {MAX_LINES}"
        for source in sources()
        if not source.is_in("oms/legacy") and (lines := source.text.count("\n")) > MAX_LINES
    ]

    assert [] == large, "\n".join(large)


def test_packages() -> None:
    """Every folder with code is a package; import-linter does not see into one that is not."""
    folders = {PurePosixPath(source.path).parent for source in sources()}
    packages = {PurePosixPath(source.path).parent for source in sources() if source.is_package}

    assert set() == folders - packages


def test_relative_imports_are_resolved() -> None:
    """A relative import counts under its absolute name, so that it cannot hide."""
    inner = Source("oms/a/b.py", "from . import c\nfrom .d import e\nfrom ..f import g\nimport h.i\n")
    package = Source("oms/a/__init__.py", "from .c import d\n")

    assert ["oms.a.c", "oms.a.d.e", "oms.f.g", "h.i"] == [name for _, name in inner.imports()]
    assert ["oms.a.c.d"] == [name for _, name in package.imports()]
