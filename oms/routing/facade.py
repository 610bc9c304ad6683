"""Facades: classes generated from a port, so that callers, type checkers and tracebacks see the port itself.

Each method loads the plan once and calls through it. The local name keeps the plan alive for as long as the call
runs, so an older plan that is still referenced is one that calls are still running on (see :mod:`oms.routing.plan`);
that costs nothing that could be measured.
"""

from __future__ import annotations

import inspect
import linecache
from collections.abc import Callable
from typing import Any

from oms.domain.phase import Operation, Seam

_EMPTY = inspect.Parameter.empty
_STARS: dict[object, str] = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}


def facade_class(seam: Seam[Any, Any], operations: dict[str, Operation]) -> type[Any]:
    """Return a class with the methods of every port of *seam*: same signatures, defaults, annotations and docstrings.

    An instance has one slot, ``_plan``: an object with one callable per operation.
    """
    namespace: dict[str, Any] = {
        "__doc__": seam.port.__doc__,
        "__slots__": ("__weakref__", "_plan"),
        "__module__": seam.port.__module__,
    }
    methods = {name: getattr(port, name) for port in seam.ports for name in operations if hasattr(port, name)}
    for name, operation in operations.items():
        namespace[name] = _method(seam, operation, methods[name])
    return type(f"{seam.port.__name__}Facade", (), namespace)


def _method(seam: Seam[Any, Any], operation: Operation, original: Callable[..., Any]) -> Callable[..., Any]:
    names: dict[str, Any] = {}
    source = _source(operation, names)
    filename = f"<facade {seam.full_name}.{operation.name}>"
    # Tracebacks read the source of generated code from here.
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    # The port's own globals, so that its annotations can be resolved.
    exec(compile(source, filename, "exec"), original.__globals__, names)
    method: Callable[..., Any] = names[operation.name]
    method.__doc__ = original.__doc__
    method.__annotations__ = dict(original.__annotations__)
    method.__module__ = original.__module__
    method.__qualname__ = f"{seam.port.__name__}Facade.{operation.name}"
    return method


def _source(operation: Operation, names: dict[str, Any]) -> str:
    """Return the method's source; defaults are put into *names*."""
    declared, passed = ["self"], []
    previous: inspect.Parameter | None = None
    parameters = list(operation.signature.parameters.values())
    for place, parameter in enumerate(parameters):
        if parameter.kind is parameter.KEYWORD_ONLY and (
            previous is None or previous.kind not in (parameter.KEYWORD_ONLY, parameter.VAR_POSITIONAL)
        ):
            declared.append("*")
        default = ""
        if parameter.default is not _EMPTY:
            names[f"_default{place}"] = parameter.default
            default = f"=_default{place}"
        stars = _STARS.get(parameter.kind, "")
        declared.append(f"{stars}{parameter.name}{default}")
        passed.append(
            f"{parameter.name}={parameter.name}"
            if parameter.kind is parameter.KEYWORD_ONLY
            else f"{stars}{parameter.name}"
        )
        following = parameters[place + 1] if place + 1 < len(parameters) else None
        if parameter.kind is parameter.POSITIONAL_ONLY and (
            following is None or following.kind is not parameter.POSITIONAL_ONLY
        ):
            declared.append("/")
        previous = parameter
    head, tail = ("async def", "await ") if operation.is_async else ("def", "")
    plan = "plan"
    while plan in operation.signature.parameters:
        plan += "_"
    # Without the `del`, an exception that a caller keeps would keep the plan too, and look like a call in flight.
    return (
        f"{head} {operation.name}({', '.join(declared)}):\n"
        f"    {plan} = self._plan\n"
        f"    try:\n"
        f"        return {tail}{plan}.{operation.name}({', '.join(passed)})\n"
        f"    except BaseException:\n"
        f"        del {plan}\n"
        f"        raise\n"
    )
