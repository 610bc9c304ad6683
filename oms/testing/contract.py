"""The decorator that runs one class of tests from every vantage."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

import pytest

from oms.domain.errors import BadInput
from oms.domain.phase import Seam
from oms.domain.stage import Side
from oms.testing.vantage import Vantage, vantages

C = TypeVar("C", bound=type[Any])


@dataclass(frozen=True, slots=True)
class KnownException:
    """A promise that legacy is known to break.

    Attributes:
        id: The quirk's id in the migration guide.
        seam: Name of the seam without its phase: ``types``.
        test: Name of the test that states the promise.
        raises: What the test fails with. Anything else is a failure of its own.
    """

    id: str
    seam: str
    test: str
    raises: type[BaseException] = AssertionError


def contract(*seams: Seam[Any, Any], exceptions: Iterable[KnownException] = ()) -> Callable[[C], C]:
    """Return a class decorator: each test runs against legacy, unified and the facade in every stage, for each port of each seam.

    Tests take the fixture ``subject`` (or one made from it). Where legacy answers, a test named in *exceptions* must fail; once it passes, the
    exception is out of date and the run is red.

    Raises:
        BadInput: if an exception names a seam or a test that is not there.
    """

    def decorate(cls: C) -> C:
        tests = {name: test for name, test in inspect.getmembers(cls, inspect.isfunction) if name.startswith("test_")}
        table = {(exception.seam, exception.test): exception for exception in exceptions}
        _refuse_strangers(cls, table.values(), {seam.name for seam in seams}, set(tests))
        for name, test in tests.items():
            every = [
                _parameter(vantage, table.get((vantage.seam.name, name)))
                for seam in seams
                for vantage in vantages(seam)
            ]
            setattr(cls, name, pytest.mark.parametrize("subject", every, indirect=True)(test))
        return cls

    return decorate


def _parameter(vantage: Vantage, exception: KnownException | None) -> Any:
    if exception is None or vantage.answers is not Side.LEGACY:
        return pytest.param(vantage, id=str(vantage))
    mark = pytest.mark.xfail(strict=True, raises=exception.raises, reason=f"legacy quirk {exception.id}")
    return pytest.param(vantage, id=str(vantage), marks=mark)


def _refuse_strangers(cls: type[Any], exceptions: Iterable[KnownException], seams: set[str], tests: set[str]) -> None:
    for exception in exceptions:
        where = f"{cls.__name__}: exception {exception.id}"
        if exception.seam not in seams:
            raise BadInput(where, found=f"seam {exception.seam!r}", wanted=f"one of {', '.join(sorted(seams))}")
        if exception.test not in tests:
            raise BadInput(where, found=f"test {exception.test!r}", wanted="a test of the class")
