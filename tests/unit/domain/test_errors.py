"""The error tree, and what its messages say."""

from __future__ import annotations

import inspect
import re

import pytest

from oms.domain import errors
from oms.domain.errors import BadInput, BindingError, FlagFileInvalid, OmsError


def drawn() -> dict[str, str]:
    """Return parent by child, as the module's docstring draws the tree: four columns a level."""
    parents: dict[str, str] = {}
    at_level = {0: "OmsError"}
    for lead, name in re.findall(r"^ {4}([│├└─ ]+)(\w+)", str(errors.__doc__), re.MULTILINE):
        level = len(lead) // 4
        parents[name] = at_level[level - 1]
        at_level[level] = name
    return parents


def test_tree() -> None:
    """The tree in the docstring is the tree in the code."""
    classes = [cls for _, cls in inspect.getmembers(errors, inspect.isclass) if issubclass(cls, OmsError)]

    assert {cls.__name__: cls.__base__.__name__ for cls in classes if cls is not OmsError} == drawn()


def test_binding_error() -> None:
    """A fault of wiring says phase and seam first, and carries every name as an attribute."""
    error = BindingError(
        "UnifiedCache.set() lacks ['ttl']", phase="cache", seam="types", side="unified", method="set", parameter="ttl"
    )

    assert "phase 'cache', seam 'types': UnifiedCache.set() lacks ['ttl']" == str(error)
    assert ("cache", "types", "unified", "set", "ttl") == (
        error.phase,
        error.seam,
        error.side,
        error.method,
        error.parameter,
    )


@pytest.mark.parametrize(
    ("mend", "message"),
    [("", "PERCENT: found '0', wanted above 0"), ("try 5", "PERCENT: found '0', wanted above 0; try 5")],
)
def test_bad_input(mend: str, message: str) -> None:
    """Bad input says where, found, wanted and, if there is one, the mend."""
    error = BadInput("PERCENT", found="'0'", wanted="above 0", mend=mend)

    assert message == str(error)
    assert ("PERCENT", "'0'", "above 0", mend) == (error.where, error.found, error.wanted, error.mend)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("flags.phase.cache", "a.json: flags.phase.cache: found 1, wanted 2; mend it"),
        ("", "a.json: (file): found 1, wanted 2; mend it"),
    ],
)
def test_flag_file_invalid(path: str, message: str) -> None:
    """An invalid flag file is named with the place in it, or as a whole."""
    error = FlagFileInvalid("a.json", path, found="1", wanted="2", mend="mend it")

    assert message == str(error)
    assert ("a.json", path) == (error.file, error.path)
