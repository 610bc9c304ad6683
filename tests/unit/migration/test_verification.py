"""Moved expressions are evaluated before and after, and a difference is found."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from oms.migration.rewrite.grid import VALUES, GridEnviron, UnifiedReference
from oms.migration.rewrite.rewriting import Options, Rewritten, rewrite
from oms.migration.rewrite.verification import verify
from oms.migration.scan.scanning import scan
from oms.migration.scan.source import Source, parse_source


def rewritten(expression: str) -> Rewritten:
    """Return what becomes of a file with this expression."""
    source = parse_source(Path("a.py"), "a.py", f"import os, json\nx = {expression}\n".encode())
    assert isinstance(source, Source)
    return rewrite(scan(source), Options())


class EmptyIsUnset(UnifiedReference):
    """What most rewrites by hand do: an empty value counts as not set."""

    def getenv(self, name: str, default: object = None) -> object:
        """Return *default* for an empty value as well."""
        return super().getenv(name) or default


class NoneIsAnError(UnifiedReference):
    """What the roadmap's first script did: a variable without default must be set."""

    def getenv(self, name: str, default: object = None) -> object:
        """Raise where os.getenv returns None."""
        if default is None and not self.contains(name):
            raise LookupError(name)
        return super().getenv(name, default)


class Upside(UnifiedReference):
    """Says the opposite of whether a variable is set."""

    def contains(self, name: str) -> bool:
        """Return whether *name* is not set."""
        return not super().contains(name)


class OtherError(UnifiedReference):
    """Raises another error for a variable that is missing."""

    def require(self, name: str) -> str:
        """Raise ValueError instead of KeyError."""
        if not self.contains(name):
            raise ValueError(name)
        return super().require(name)


@pytest.mark.parametrize(
    ("expression", "expressions"),
    [
        ("os.getenv('A')", 1),
        ("int(os.getenv('A', '5'))", 1),
        ("int(os.getenv('A'))", 1),
        ("os.getenv('A', 'false').lower() == 'true'", 1),
        ("os.environ['A'].split(',')", 1),
        ("'A' not in os.environ", 1),
        ("[os.getenv('A'), os.getenv('B')]", 2),
        ("os.getenv('A') or os.getenv('B') or 'x'", 1),
        ("os.getenv('A', os.getenv('B', 'x'))", 1),
        ("(os.getenv('A') or '') + (os.getenv('B') or '') + (os.getenv('C') or '')", 1),
        ("connect(os.getenv('A', here.default()))", 1),
    ],
)
def test_same(expression: str, expressions: int) -> None:
    """Each moved read is evaluated in the widest expression that needs nothing of the program, and nothing differs."""
    once = rewritten(expression)
    found = verify(once)

    assert (len(once.moves), expressions, ()) == (found.reads, found.expressions, found.differences)
    assert found.evaluations >= 2 * len(VALUES)


@pytest.mark.parametrize(
    ("expression", "unified"),
    [
        ("os.getenv('A', 'x')", EmptyIsUnset),
        ("int(os.getenv('A', '5'))", EmptyIsUnset),
        ("os.getenv('A')", NoneIsAnError),
        ("'A' in os.environ", Upside),
        ("os.environ['A']", OtherError),
        ("(os.getenv('A') or '') + (os.getenv('B') or '') + os.getenv('C', 'x')", EmptyIsUnset),
        ("connect(os.getenv('A', here.default()))", EmptyIsUnset),
    ],
)
def test_difference(expression: str, unified: type[UnifiedReference]) -> None:
    """A target that does not keep its promise is found out, and the finding names no value."""
    found = verify(rewritten(expression), unified)

    assert 1 == len(found.differences)
    assert ("a.py", 2) == (found.differences[0].file, found.differences[0].line)


def test_nothing_of_the_program_runs(tmp_path: Path) -> None:
    """Functions of the program are not called, not even as a default."""
    trace = tmp_path / "called"
    verify(rewritten(f"print(os.getenv('A', open({str(trace)!r}, 'w')), file=open({str(trace)!r}, 'w'))"))

    assert not trace.exists()


def test_shadowed_builtin() -> None:
    """A name that the program binds is not taken for Python's."""
    source = parse_source(Path("a.py"), "a.py", b"import os\ndef int(x): raise SystemExit\ny = int(os.getenv('A'))\n")
    assert isinstance(source, Source)
    found = verify(rewrite(scan(source), Options()))

    assert (1, ()) == (found.expressions, found.differences)


@pytest.mark.parametrize("values", [{}, {"A": ""}, {"A": "x"}])
def test_environ_stand_in(values: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The stand-in for os.environ answers and raises as the real one does."""
    import os

    monkeypatch.delenv("A", raising=False)
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    stand_in = GridEnviron(values)
    answers = []
    for environ in (os.environ, stand_in):
        answers.append(
            [environ.get("A"), environ.get("A", 3), "A" in environ, _error(environ, "NO-SUCH"), _error(environ, 1)]
        )

    assert answers[0] == answers[1]


def _error(environ: Mapping[str, str], key: object) -> tuple[type[Exception], str]:
    with pytest.raises((KeyError, TypeError)) as caught:
        environ[key]
    return type(caught.value), str(caught.value)
