"""The names and parameters that others may rely on, as a snapshot, so that none goes unnoticed.

``make names`` accepts the present ones. A name is public when it does not begin with an underscore and a module of a room below defines it;
a package publishes what it takes from its own modules, too. A module that has ``__all__`` publishes just that.
"""

from __future__ import annotations

import argparse
import ast
import inspect
import json
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from enum import EnumType
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, ParamSpec, TypeVar

SNAPSHOT = Path(__file__).with_name("public_names.json")

ROOMS = ("oms.domain", "oms.seams")
"""Every module of these is public."""

HALLS = ("oms.routing", "oms.testing", "oms.wiring")
"""Of these the top is public: what ``from oms.routing import ...`` finds. So it is with each row of oms.unified."""

Names = dict[str, dict[str, str] | None]
"""By dotted name: the parameters of what can be called, each with how it is passed; None for everything else."""

_PASSED = {
    inspect.Parameter.POSITIONAL_ONLY: "position",
    inspect.Parameter.POSITIONAL_OR_KEYWORD: "position or keyword",
    inspect.Parameter.KEYWORD_ONLY: "keyword",
    inspect.Parameter.VAR_POSITIONAL: "any position",
    inspect.Parameter.VAR_KEYWORD: "any keyword",
}


def public_names() -> Names:
    """Return every public name of oms as it stands."""
    found: Names = {}
    for module in _modules():
        for name, value in _published(module):
            found.update(_described(f"{module.__name__}.{name}", value))
    return dict(sorted(found.items()))


def losses(then: Mapping[str, Mapping[str, str] | None], now: Mapping[str, Mapping[str, str] | None]) -> list[str]:
    """Return a line for each change from *then* to *now* that can break a caller; an addition that nobody has to know of is none."""
    lost = [f"{name} is gone" for name in then if name not in now]
    for name, parameters in then.items():
        if name in now:
            lost += [f"{name}: {line}" for line in _lost_parameters(parameters, now[name])]
    return lost


def _lost_parameters(then: Mapping[str, str] | None, now: Mapping[str, str] | None) -> list[str]:
    if then is None or now is None:
        return [] if then == now or then is None else ["can no longer be called"]
    gone = [f"parameter {name} is gone" for name in then if name not in now]
    changed = [
        f"parameter {name} was passed by {then[name]}, now by {now[name]}"
        for name in then
        if name in now and not _still_passes(then[name], now[name])
    ]
    required = [
        f"parameter {name} is new and has no default" for name in now if name not in then and _is_required(now[name])
    ]
    return gone + changed + required + _moved(list(_positional(then)), list(_positional(now)))


def _still_passes(then: str, now: str) -> bool:
    how, _, default = then.partition(", ")
    new_how, _, new_default = now.partition(", ")
    return new_how in (how, "position or keyword") and (bool(new_default) or not default)


def _is_required(passed: str) -> bool:
    return not passed.endswith("optional") and not passed.startswith("any")


def _positional(parameters: Mapping[str, str]) -> Iterator[str]:
    return (name for name, passed in parameters.items() if passed.startswith("position"))


def _moved(then: list[str], now: list[str]) -> list[str]:
    kept = [name for name in then if name in now]
    return [] if kept == now[: len(kept)] else [f"positions were ({', '.join(then)}), now ({', '.join(now)})"]


def _modules() -> Iterator[ModuleType]:
    for room in ROOMS:
        package = import_module(room)
        yield package
        for info in pkgutil.walk_packages(package.__path__, f"{room}."):
            if not any(part.startswith("_") for part in info.name.split(".")):
                yield import_module(info.name)
    rows = pkgutil.iter_modules(import_module("oms.unified").__path__, "oms.unified.")
    for top in (*HALLS, *(row.name for row in rows)):
        yield import_module(top)


def _published(module: ModuleType) -> Iterator[tuple[str, Any]]:
    exported = getattr(module, "__all__", None)
    names = _defined(module) if exported is None else exported
    values = ((name, getattr(module, name)) for name in names if exported is not None or not name.startswith("_"))
    return ((name, value) for name, value in values if not isinstance(value, TypeVar | ParamSpec))


def _defined(module: ModuleType) -> Iterator[str]:
    """Yield the names that *module* defines at its top; a package counts those that it imports from below itself."""
    for node in ast.parse(Path(inspect.getfile(module)).read_text(encoding="utf-8")).body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield node.name
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name))
        elif isinstance(node, ast.ImportFrom) and f"{node.module}.".startswith(f"{module.__name__}."):
            yield from (alias.asname or alias.name for alias in node.names)


def _described(name: str, value: object) -> Iterator[tuple[str, dict[str, str] | None]]:
    if inspect.isclass(value):
        yield name, _parameters(value) if _is_made_by_its_own(value) else None
        for member in _members(value):
            inner = inspect.getattr_static(value, member, None)
            yield f"{name}.{member}", _parameters(getattr(value, member)) if _is_method(inner) else None
    else:
        yield name, _parameters(value) if inspect.isroutine(value) else None


def _is_made_by_its_own(cls: type) -> bool:
    """Tell whether how *cls* is made is written in oms: not so for an enum, a Protocol or a plain exception."""
    inherits = isinstance(cls, EnumType) or getattr(cls, "_is_protocol", False)
    return not inherits and any({"__init__", "__new__"} & vars(parent).keys() for parent in _ours(cls))


def _ours(cls: type) -> list[type]:
    return [parent for parent in cls.__mro__ if parent.__module__.startswith("oms.")]


def _members(cls: type) -> list[str]:
    """Return the public members of *cls*, with those that an annotation alone declares."""
    names = {name for parent in _ours(cls) for name in (*vars(parent), *inspect.get_annotations(parent))}
    return sorted(name for name in names if not name.startswith("_"))


def _is_method(member: object) -> bool:
    return isinstance(member, (staticmethod, classmethod)) or inspect.isroutine(member)


def _parameters(value: Callable[..., Any]) -> dict[str, str]:
    return {
        name: _PASSED[parameter.kind] + (", optional" if parameter.default is not parameter.empty else "")
        for name, parameter in inspect.signature(value).parameters.items()
        if name != "self"
    }


def main() -> None:
    """Write the snapshot with ``--write``; else print what it would lose."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="accept the present names as the snapshot")
    if parser.parse_args().write:
        names = public_names()
        lines = (f"  {json.dumps(name)}: {json.dumps(parameters)}" for name, parameters in names.items())
        SNAPSHOT.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
        print(f"{len(names)} public names in {SNAPSHOT.name}")
    else:
        print("\n".join(losses(json.loads(SNAPSHOT.read_text(encoding="utf-8")), public_names())) or "nothing is lost")


if __name__ == "__main__":
    main()
