"""The values that moved expressions are evaluated on, and the two environments they are evaluated in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from itertools import product
from types import SimpleNamespace

# None: the variable is not set.
VALUES: Sequence[str | None] = (
    None,
    "",
    " ",
    "0",
    "1",
    "5",
    " 5 ",
    "5_0",
    "-1",
    "0.25",
    "5.0s",
    "nan",
    "true",
    "True",
    "TRUE ",
    "false",
    "no",
    "yes",
    "on",
    "off",
    "a,b",
    " a, b,",
    '{"a": [1]}',
    "http://host:1/p?q=1",
    "größe",
)
_MOST_TOGETHER = 2


class GridEnviron(MutableMapping[str, str]):
    """A mapping that refuses and raises as `os.environ` does, over a plain dictionary."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = dict(values)

    def __getitem__(self, key: str) -> str:
        if not isinstance(key, str):
            raise TypeError(f"str expected, not {type(key).__name__}")
        if key not in self._values:
            raise KeyError(key)
        return self._values[key]

    def __setitem__(self, key: str, value: str) -> None:
        self._values[key] = value

    def __delitem__(self, key: str) -> None:
        del self._values[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


class UnifiedReference:
    """What the target promises of `unified_env`, in three lines, so that the evaluation depends on no other package."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def getenv(self, name: str, default: object = None) -> object:
        """Return the text of *name*, *default* as it is if it is not set; set and empty is the empty text."""
        try:
            return self._environ[name]
        except KeyError:
            return default

    def require(self, name: str) -> str:
        """Return the text of *name*.

        Raises:
            KeyError: it is not set.
        """
        return self._environ[name]

    def contains(self, name: str) -> bool:
        """Return whether *name* is set, be it to the empty text."""
        return name in self._environ


def before(values: Mapping[str, str]) -> object:
    """Return a stand-in for the module `os` in which the environment holds *values*."""
    environ = GridEnviron(values)
    return SimpleNamespace(environ=environ, getenv=environ.get)


def settings(variables: Sequence[str]) -> Iterator[dict[str, str]]:
    """Yield the environments to evaluate in: every combination for up to two variables, one at a time beyond."""
    if len(variables) <= _MOST_TOGETHER:
        rows: Iterator[tuple[str | None, ...]] = product(VALUES, repeat=len(variables))
    else:
        rows = (
            tuple(value if place == varied else rest for place in range(len(variables)))
            for varied in range(len(variables))
            for rest in (None, "1")
            for value in VALUES
        )
    for row in rows:
        yield {name: value for name, value in zip(variables, row, strict=True) if value is not None}
