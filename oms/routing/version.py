"""Which sources a seam runs on: evidence is about these, and begins anew when one of them changes."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType, MethodType, ModuleType
from typing import Any

from oms.domain.known import KnownDivergence
from oms.domain.phase import Seam

_LOG = logging.getLogger("oms.routing")

_COMPARISON = ("oms.domain.comparison", "oms.domain.known", "oms.routing.judge")
_UNIFIED = "oms.unified."
_LEGACY = ("oms.legacy.", "oms.legacy_adapters.")
_MOST_OBJECTS = 2_000
_MOST_ENTRIES = 500


@dataclass(frozen=True, slots=True)
class Version:
    """What both sides and the comparison of one seam were made of when it was bound.

    Attributes:
        digest: 16 hex digits of SHA-256.
        unread: Modules whose source cannot be read (typed in by hand, written in C); only their names are in the digest, so a change
            of theirs is not seen.
    """

    digest: str
    unread: tuple[str, ...] = ()


def version_of(
    seam: Seam[Any, Any], *, legacy: object, unified: object, rules: Sequence[KnownDivergence] = ()
) -> Version:
    """Return the version of a binding.

    In it are: of a unified side that stands in this house its whole row (``oms/unified/<phase>``); of a legacy side its adapter and the
    modules of legacy that it refers to; of any other side the modules of its class, of what it holds and of what it wraps, as far as they
    belong to one package with it. Of the comparison: its modules, those of the port and of what it tolerates, and what the *rules* match:
    their owners, reasons and dates judge no call, so a longer date does not throw evidence away.
    """
    names = {*_COMPARISON, *(port.__module__ for port in seam.ports)}
    if seam.reasonable is not None:
        names.add(seam.reasonable.__module__)
    sides = (*_modules_of(legacy), "", *_modules_of(unified))
    return _digest([*sides, "", *sorted(names)], [*_rules_of(seam, rules)])


def _rules_of(seam: Seam[Any, Any], rules: Iterable[KnownDivergence]) -> Iterator[str]:
    for rule in rules:
        if rule.seam.split(".")[0] in (seam.phase.name, "*"):
            yield "\x1f".join((rule.id, rule.seam, rule.operation, rule.kind, rule.path, rule.when, rule.klass.value))


def _digest(modules: Sequence[str], texts: Sequence[str]) -> Version:
    digest, unread = hashlib.sha256(), []
    for name in modules:
        digest.update(b"\x1e" + name.encode())
        if name and not _add_sources(digest, name):
            unread.append(name)
    for text in texts:
        digest.update(b"\x1d" + text.encode())
    if unread:
        _LOG.info("version: found no source of %s, so that a change of theirs is not noticed", ", ".join(unread))
    return Version(digest.hexdigest()[:16], tuple(unread))


def _add_sources(digest: Any, name: str) -> bool:
    """Add the sources of the module *name*, of a row of unified all that is in its folder. Return whether there are any."""
    try:
        sources = [(path.name, path.read_bytes()) for path in _files(name)]
    except OSError:
        sources = []
    for file, source in sources:
        digest.update(b"\x1c" + file.encode() + b"\x1c" + source)
    return bool(sources)


def _files(name: str) -> list[Path]:
    module = sys.modules.get(name)
    file = getattr(module, "__file__", None)
    if not isinstance(file, str):
        return []
    path = Path(file)
    if f"{name}.".startswith(_UNIFIED):
        return sorted(path.parent.rglob("*.py"))
    # The tables that a module reads lie beside it under its name; the rules are taken by what they match.
    tables = [table for table in path.parent.glob(f"{path.stem}.*.toml") if not table.name.endswith(".known.toml")]
    return [path, *sorted(tables)]


# -- which modules make up a side


def _modules_of(side: object) -> list[str]:
    """Return the names of the modules that *side* is made of; of unified its row alone."""
    found: dict[str, None] = {}
    for name in _held_modules(side):
        if name.startswith(_UNIFIED):
            found[".".join(name.split(".")[:3])] = None
        elif name.startswith(_LEGACY):
            found.update(dict.fromkeys(_referred(name)))
        else:
            found[name] = None
    return sorted(found) or [f"{type(side).__module__}.{type(side).__qualname__}"]


def _held_modules(side: object) -> set[str]:
    """Return the modules of the classes of *side* and of all that it holds or wraps and that is of one package with it."""
    home = type(side).__module__.split(".")[0]
    modules: set[str] = set()
    waiting, seen = [side], {id(side)}
    while waiting and len(seen) < _MOST_OBJECTS:
        one = waiting.pop()
        for name in _own_modules(one):
            if _is_part(name, home):
                modules.add(name)
        for inner in _inside(one):
            if id(inner) not in seen and _may_hold_parts(inner, home):
                seen.add(id(inner))
                waiting.append(inner)
    return modules


def _own_modules(one: object) -> Iterator[str]:
    # Not isinstance(): it asks a value for its class, and a lazy proxy answers by loading, or raises.
    if issubclass(type(one), (FunctionType, type)):
        yield getattr(one, "__module__", None) or ""
    for kind in type(one).__mro__:
        yield kind.__module__


def _is_part(module: str, home: str) -> bool:
    if module.split(".", maxsplit=1)[0] == "oms":
        # What this house wraps around a side to watch it is no part of the side.
        return module.startswith((_UNIFIED, *_LEGACY))
    return module.split(".", maxsplit=1)[0] == home and home not in sys.stdlib_module_names


def _may_hold_parts(one: object, home: str) -> bool:
    kind = type(one)
    return kind in (dict, list, tuple, FunctionType, MethodType) or kind.__module__.split(".")[0] in (home, "oms")


def _inside(one: Any) -> list[object]:
    """Return what *one* holds, wraps or closes over. Read without calling anything of its own."""
    if type(one) is MethodType:
        return [one.__self__, one.__func__]
    if type(one) is FunctionType:
        cells = []
        for cell in one.__closure__ or ():
            with contextlib.suppress(ValueError):  # not filled yet
                cells.append(cell.cell_contents)
        return [*cells, *vars(one).values()]
    if type(one) is dict:
        return list(one.values())[:_MOST_ENTRIES]
    if type(one) in (list, tuple):
        return list(one)[:_MOST_ENTRIES]
    held: list[object] = []
    with contextlib.suppress(AttributeError):
        held += object.__getattribute__(one, "__dict__").values()
    for kind in type(one).__mro__:
        slots = kind.__dict__.get("__slots__", ())
        for slot in (slots,) if isinstance(slots, str) else slots:
            with contextlib.suppress(AttributeError):
                held.append(object.__getattribute__(one, slot))
    return held


def _referred(name: str) -> list[str]:
    """Return *name* and the modules of legacy that it refers to, and those, by what their globals hold."""
    found, waiting = {name}, [name]
    while waiting:
        module = sys.modules.get(waiting.pop())
        for other in _named_in(vars(module)) if module is not None else ():
            if other.startswith(_LEGACY) and other not in found:
                found.add(other)
                waiting.append(other)
    return sorted(found)


def _named_in(names: Mapping[str, Any]) -> Iterator[str]:
    for value in list(names.values()):
        within = list(value.values())[:_MOST_ENTRIES] if type(value) is dict else [value]
        for one in within:
            if issubclass(type(one), ModuleType):
                yield one.__name__
            elif issubclass(type(one), (FunctionType, type)):
                yield getattr(one, "__module__", None) or ""
            else:
                yield type(one).__module__
