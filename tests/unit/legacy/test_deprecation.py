"""Who takes something out of legacy from outside is told where to go, once, at the line where it happens."""

from __future__ import annotations

import itertools
import pkgutil
import subprocess
import sys
import warnings
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

from oms import legacy
from oms.legacy import deprecation
from oms.legacy.deprecation import REPLACEMENTS, LegacyModule
from tests.architecture.sources import ROOT

RETRY = "oms.legacy.utils.retry_strategy"
_numbers = itertools.count()


def legacy_modules() -> Iterator[ModuleType]:
    """Yield every module of the old building but the one that tells."""
    for info in pkgutil.walk_packages(legacy.__path__, "oms.legacy."):
        if info.name != deprecation.__name__:
            yield import_module(info.name)


def has_names(module: ModuleType) -> bool:
    """Tell whether *module* has a public name of its own or one that it passes on, and is more than a folder."""
    return any(not name.startswith("_") and not isinstance(value, ModuleType) for name, value in vars(module).items())


def told(code: str, caller: str | None = None) -> list[str]:
    """Run *code* as a module of its own, or as *caller*. Return ``line: message`` for each warning."""
    name = caller or f"outside{next(_numbers)}"
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        exec(compile(code, f"{name}.py", "exec"), {"__name__": name})
    assert {f"{name}.py"} >= {each.filename for each in caught}
    assert {DeprecationWarning} >= {each.category for each in caught}
    return [f"{each.lineno}: {each.message}" for each in caught]


def test_every_module_has_a_replacement() -> None:
    """A legacy module that has names stands in the table, and the table has no other rows."""
    assert sorted(REPLACEMENTS) == sorted(module.__name__ for module in legacy_modules() if has_names(module))


def test_a_new_module_is_watched() -> None:
    """What is loaded into legacy is watched without a word in it; the test above finds one without a row."""
    new = ModuleType("oms.legacy.utils.new")
    new.name = 1
    package = import_module("oms.legacy.utils")
    try:
        package.new = new

        assert isinstance(new, LegacyModule)
        assert has_names(new)
        assert new.__name__ not in REPLACEMENTS
    finally:
        del package.new


@pytest.mark.parametrize("module", REPLACEMENTS)
def test_replacement(module: str) -> None:
    """The replacement is there, and the page, which speaks of the module under its own path."""
    replacement, page = REPLACEMENTS[module]
    row, _, name = replacement.rpartition(".")

    assert hasattr(import_module(row), name)
    assert module.removeprefix("oms.legacy.").replace(".", "/") in (ROOT / page).read_text(encoding="utf-8")


@pytest.mark.parametrize("module", REPLACEMENTS)
def test_each_module_tells(module: str) -> None:
    """The message names the module, who uses it, the replacement and the page; the second use is silent."""
    replacement, page = REPLACEMENTS[module]
    name = next(name for name in vars(import_module(module)) if not name.startswith("_"))

    assert [
        f"2: {module} is legacy, found in use by caller of {module}, wanted {replacement}; {page} tells what changes"
    ] == told(f"\nfrom {module} import {name}", f"caller of {module}")
    assert [] == told(f"from {module} import {name}", f"caller of {module}")


@pytest.mark.parametrize(
    "code",
    [
        f"from {RETRY} import with_retry",
        "from oms.legacy.utils import retry_strategy",
        f"import {RETRY} as retries",
        f"import importlib; importlib.import_module('{RETRY}').with_retry",
        f"import sys; sys.modules['{RETRY}'].with_retry('operation')",
        f"import pickle; pickle.loads(b'c{RETRY}\\nRetryConfig\\n.')",
        f"from {RETRY} import *",
    ],
)
def test_ways_in(code: str) -> None:
    """However a name is taken out of a module that is loaded already, its taker is told at that line."""
    import_module(RETRY)

    assert [f"1: {RETRY} is legacy"] == [line.partition(",")[0] for line in told(code)]


def test_import_and_use() -> None:
    """A bare import of what is loaded already runs no code of anybody, so the first use tells, and no later one."""
    lines = told(f"import {RETRY}\nfor _ in range(3):\n    {RETRY}.RetryConfig()\n{RETRY}.with_retry('a')")

    assert ["3"] == [line.partition(":")[0] for line in lines]


def test_each_caller_is_told() -> None:
    """Once is once for each module that uses it: each is a place to mend."""
    assert [1, 1] == [len(told(f"from {RETRY} import with_retry")) for _ in range(2)]


@pytest.mark.parametrize("inside", ["oms.legacy", "oms.legacy.new", "oms.legacy_adapters", "oms.legacy_adapters.new"])
def test_inside(inside: str) -> None:
    """Legacy itself and its adapters are not told."""
    assert [] == told(f"from {RETRY} import with_retry\nimport {RETRY} as r; r.with_retry('a')", inside)


def test_names_like_those_inside() -> None:
    """A name that only begins like that of the adapters is outside."""
    assert 1 == len(told(f"from {RETRY} import with_retry", "oms.legacy_adaptersx"))


def test_what_is_taken_is_plain() -> None:
    """Adapters hold the plain objects: nothing stands between them and legacy when they call."""
    module = import_module(RETRY)

    assert vars(module)["with_retry"] is module.with_retry
    assert vars(module)["with_retry"].__globals__ is vars(module)


def run(code: str, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """Run *code* as a program in which warnings are errors."""
    program = tmp_path / "program.py"
    program.write_text(code)
    return subprocess.run(
        [sys.executable, "-W", "error", str(program)],
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT)},
    )


def test_adapters_under_errors(tmp_path: Path) -> None:
    """A program that uses legacy through wiring and adapters alone runs with warnings as errors."""
    names = [info.name for info in pkgutil.iter_modules([str(ROOT / "oms" / "legacy_adapters")])]
    done = run("\n".join(["import oms.wiring", *(f"import oms.legacy_adapters.{name}" for name in names)]), tmp_path)

    assert (0, "") == (done.returncode, done.stderr)


@pytest.mark.parametrize("code", [f"import {RETRY}", f"from {RETRY} import with_retry"])
def test_first_load_under_errors(tmp_path: Path, code: str) -> None:
    """The first import of all tells as well, even a bare one; as an error it ends there, and legacy can still be imported by adapters."""
    after = "import oms.legacy_adapters.config\nimport oms.legacy.utils.retry_strategy as r\nprint(r.RetryConfig().max_attempts)"
    done = run(f"try:\n    {code}\nexcept DeprecationWarning as error:\n    print(error)\n{after}", tmp_path)

    said, attempts = done.stdout.splitlines()
    assert (0, "3") == (done.returncode, attempts), done.stderr
    assert said.startswith(f"{RETRY} is legacy, found in use by __main__, wanted oms.unified.resilience.with_retry;")
