"""Two sides bound to a seam, and the check that both of them fit it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from oms.domain.errors import BindingError
from oms.domain.phase import Operation, Seam
from oms.domain.stage import Effect, Side

_KEYWORD = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_FITTING_KINDS = {
    inspect.Parameter.POSITIONAL_ONLY: _POSITIONAL,
    inspect.Parameter.POSITIONAL_OR_KEYWORD: (inspect.Parameter.POSITIONAL_OR_KEYWORD,),
    inspect.Parameter.KEYWORD_ONLY: _KEYWORD,
    inspect.Parameter.VAR_POSITIONAL: (inspect.Parameter.VAR_POSITIONAL,),
    inspect.Parameter.VAR_KEYWORD: (inspect.Parameter.VAR_KEYWORD,),
}


@dataclass(frozen=True, slots=True)
class Binding:
    """A seam with both of its sides, checked.

    Attributes:
        operations: By method name, of every port of the seam.
    """

    seam: Seam[Any, Any]
    sides: dict[Side, Any]
    operations: dict[str, Operation]

    def method(self, side: Side, name: str) -> Callable[..., Any]:
        """Return the bound method *name* of *side*."""
        method: Callable[..., Any] = getattr(self.sides[side], name)
        return method

    def is_process_local(self, side: Side) -> bool:
        """Tell whether what *side* remembers ends with the process."""
        return bool(getattr(self.sides[side], "process_local", True))

    @property
    def has_keys(self) -> bool:
        """True if some write names a key, so that a side can be made to forget one."""
        return any(operation.effect is Effect.WRITES and operation.key for operation in self.operations.values())


def bind(seam: Seam[Any, Any], *, legacy: object, unified: object) -> Binding:
    """Return the binding of *seam*.

    Raises:
        BindingError: if the port is not well marked, or a side lacks a method or parameter, has one of another kind
        or default, is sync where the
            port is async or the reverse, has no twin where the port has effects, or cannot forget a key that the port can
            write; or if a read is marked for rescue in a
            phase that allows none.
    """
    operations = seam.operations()
    sides = {Side.LEGACY: legacy, Side.UNIFIED: unified}
    binding = Binding(seam, sides, operations)
    for operation in operations.values():
        if operation.rescue and not seam.phase.rescuable:
            raise seam.fault(
                f"{operation.name}() of the port is marked rescue=True, but in this phase legacy must never stand in for unified",
                method=operation.name,
            )
    for operation in operations.values():
        if operation.effect is Effect.EFFECTS:
            _check_effect(seam, operation, sides)
    for side, implementation in sides.items():
        for operation in operations.values():
            _check_method(seam, side, implementation, operation)
        _check_forget(binding, side, implementation)
    return binding


def _check_effect(seam: Seam[Any, Any], operation: Operation, sides: dict[Side, object]) -> None:
    """An effect is replayed: it must be async, name what its calls share, and both sides must have twins."""
    name = operation.name
    if not operation.is_async:
        raise seam.fault(f"{name}() of the port is marked @effects and sync, wanted async", method=name)
    if operation.subject is None or operation.subject == next(iter(operation.signature.parameters)):
        raise seam.fault(
            f"{name}() of the port names no subject, wanted @effects(subject=...) with the parameter that names what its calls share",
            method=name,
        )
    for side, implementation in sides.items():
        if not callable(getattr(implementation, "twin", None)):
            owner = type(implementation).__name__
            raise seam.fault(
                f"{owner} has no twin(), wanted a method that returns a separate instance with in-process state",
                side=side,
                method="twin",
            )


def _check_method(seam: Seam[Any, Any], side: Side, implementation: object, operation: Operation) -> None:
    owner = f"{type(implementation).__name__}.{operation.name}()"
    method = getattr(implementation, operation.name, None)
    if not callable(method):
        raise seam.fault(
            f"{type(implementation).__name__} has no {operation.name}(), which the port has",
            side=side,
            method=operation.name,
        )
    if inspect.iscoroutinefunction(method) is not operation.is_async:
        found, wanted = ("sync", "async") if operation.is_async else ("async", "sync")
        raise seam.fault(f"{owner} is {found}, wanted {wanted} as in the port", side=side, method=operation.name)
    signature = inspect.signature(method)
    for parameter in operation.signature.parameters.values():
        _check_parameter(seam, side, operation, parameter, owner=owner, found=signature.parameters.get(parameter.name))
    _check_order(seam, side, owner, operation, signature)
    _check_surplus(seam, side, owner, operation, signature)


def _check_parameter(
    seam: Seam[Any, Any],
    side: Side,
    operation: Operation,
    wanted: inspect.Parameter,
    *,
    owner: str,
    found: inspect.Parameter | None,
) -> None:
    def fault(message: str) -> BindingError:
        return seam.fault(f"{owner} {message}", side=side, method=operation.name, parameter=wanted.name)

    if found is None:
        raise fault(f"lacks [{wanted.name!r}], which {operation.name}() of the port takes")
    if found.kind not in _FITTING_KINDS[wanted.kind]:
        raise fault(f"takes {wanted.name!r} as {found.kind.description}, wanted {wanted.kind.description}")
    if found.default != wanted.default:
        raise fault(f"has the default {_default(found)} for {wanted.name!r}, wanted {_default(wanted)}")


def _check_order(seam: Seam[Any, Any], side: Side, owner: str, operation: Operation, has: inspect.Signature) -> None:
    """The facade passes by position whatever the port takes by position."""
    wanted = [parameter.name for parameter in operation.signature.parameters.values() if parameter.kind in _POSITIONAL]
    found = [parameter.name for parameter in has.parameters.values() if parameter.kind in _POSITIONAL]
    for place, (name, other) in enumerate(zip(wanted, found, strict=False), start=1):
        if name != other:
            raise seam.fault(
                f"{owner} takes {other!r} in place {place}, wanted {name!r} as in the port",
                side=side,
                method=operation.name,
                parameter=name,
            )


def _check_surplus(seam: Seam[Any, Any], side: Side, owner: str, operation: Operation, has: inspect.Signature) -> None:
    free = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    for parameter in has.parameters.values():
        if parameter.name in operation.signature.parameters or parameter.kind in free:
            continue
        if parameter.default is inspect.Parameter.empty:
            raise seam.fault(
                f"{owner} demands {parameter.name!r}, which the port does not give",
                side=side,
                method=operation.name,
                parameter=parameter.name,
            )


def _check_forget(binding: Binding, side: Side, implementation: object) -> None:
    if not binding.has_keys:
        return
    for name in needed_forgets(binding):
        method = getattr(implementation, name, None)
        is_async = name == "aforget"
        if not callable(method) or inspect.iscoroutinefunction(method) is not is_async or not _takes_one(method):
            kind = "an async" if is_async else "a sync"
            raise binding.seam.fault(
                f"{type(implementation).__name__} has no {name}(key), wanted {kind} method that makes a key a miss (None: every key)",
                side=side,
                method=name,
            )


def _takes_one(method: Callable[..., Any]) -> bool:
    try:
        inspect.signature(method).bind("key")
    except TypeError:
        return False
    return True


def needed_forgets(binding: Binding) -> tuple[str, ...]:
    """Return ``forget``, ``aforget`` or both: one for each kind of write that the ports have."""
    kinds = {operation.is_async for operation in binding.operations.values() if operation.effect is Effect.WRITES}
    return tuple("aforget" if is_async else "forget" for is_async in sorted(kinds))


def _default(parameter: inspect.Parameter) -> str:
    return "nothing" if parameter.default is inspect.Parameter.empty else repr(parameter.default)
