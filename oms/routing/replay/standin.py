"""Another exception in place of the caller's own, which nobody but the caller may touch."""

from __future__ import annotations

import copyreg
from typing import Any

_KEPT = frozenset({"__notes__"})


class Unnamed(Exception):
    """Stands for an exception of which no second one can be made."""


def stand_in(error: BaseException) -> BaseException:
    """Return a new exception of the class of *error* with the same fields, without its traceback, cause and context.

    Its fields are the very same objects, its notes are a list of their own. If the class cannot be made again without its own
    constructor, the answer is an :class:`Unnamed`, which makes the call one that is not replayable.
    """
    kind = type(error)
    try:
        copy: BaseException = kind.__new__(kind, *error.args)
        copy.args = error.args
        for name in copyreg._slotnames(kind):  # type: ignore[attr-defined]  # what copy and pickle use; typeshed does not list it
            if hasattr(error, name):
                setattr(copy, name, getattr(error, name))
        for name, value in vars(error).items():
            copy.__dict__[name] = list(value) if name in _KEPT and isinstance(value, list) else value
    except Exception:  # somebody else's __new__
        return Unnamed(kind.__qualname__)
    return copy


def labelled(error: BaseException, label: Any) -> str:
    """Return *label* of *error*, its class name if that raises."""
    try:
        return str(label(error))
    except Exception:  # a property of somebody else's exception
        return type(error).__qualname__
