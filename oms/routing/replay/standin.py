"""Another exception in place of the caller's own, which nobody but the caller may touch."""

from __future__ import annotations

import copyreg
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

_NOTES = "__notes__"
_OF_PYTHON = 1 << 9
"""Flag of a class that Python code defines. Source: ``Py_TPFLAGS_HEAPTYPE``."""


class Unnamed(Exception):
    """Stands for an exception of which no second one can be made."""


class Likeness(NamedTuple):
    """What it takes to make another exception like one that was raised: taken from it when it is, and nothing that holds its frames.

    Attributes:
        fields: What its dict holds: the very same objects, but a list of notes of its own. None if there is nothing.
        slots: What its slots hold, by name.
    """

    kind: type[BaseException]
    args: tuple[Any, ...]
    fields: Mapping[str, Any] | None = None
    slots: tuple[tuple[str, Any], ...] = ()


def likeness(error: BaseException) -> Likeness:
    """Return what another exception like *error* is made from. It calls nothing of the caller's, but properties of odd classes."""
    kind = type(error)
    try:
        fields = dict(vars(error)) or None
        if fields and isinstance(notes := fields.get(_NOTES), list):
            fields[_NOTES] = list(notes)
        # Classes of C have no slots of their own, and to ask takes longer than all the rest.
        slots = tuple(_slots(error)) if kind.__flags__ & _OF_PYTHON else ()
        return Likeness(kind, error.args, fields, slots)
    except Exception:  # somebody else's class
        return Likeness(Unnamed, (kind.__qualname__,))


def stand_in(like: Likeness) -> BaseException:
    """Return a new exception of the same class with the same fields, without traceback, cause and context.

    If the class cannot be made again without its own constructor, the answer is an :class:`Unnamed`, which makes the call one that is
    not replayable.
    """
    kind, args, fields, slots = like
    try:
        copy: BaseException = kind.__new__(kind, *args)
        copy.args = args
        for name, value in slots:
            setattr(copy, name, value)
        if fields:
            copy.__dict__.update(fields)
    except Exception:  # somebody else's __new__
        return Unnamed(kind.__qualname__)
    return copy


def _slots(error: BaseException) -> Iterator[tuple[str, Any]]:
    for name in copyreg._slotnames(type(error)):  # type: ignore[attr-defined]  # what copy and pickle use; typeshed does not list it
        if hasattr(error, name):
            yield name, getattr(error, name)


def labelled(error: BaseException, label: Any) -> str:
    """Return *label* of *error*, its class name if that raises."""
    try:
        return str(label(error))
    except Exception:  # a property of somebody else's exception
        return type(error).__qualname__
