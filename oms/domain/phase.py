"""Phases, seams and the marks by which a port says what its operations do.

A port is a Protocol. Each public method carries one of ``@reads``, ``@writes`` or ``@effects``; a method without a mark is refused when the
seam is bound. The marks change nothing about the method: they hang an :class:`Operation` on it, which ``operations`` collects.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Generic, TypeVar, overload

from oms.domain.errors import BindingError
from oms.domain.observation import Explain
from oms.domain.stage import Effect, Stage

P = TypeVar("P")
A = TypeVar("A")
F = TypeVar("F", bound=Callable[..., Any])

_MARK = "__oms_operation__"

REPLAY_DEADLINE_S = 60.0
"""How long an event may wait for its replay: a line is worked off whole or not at all, so it is no matter of one call's patience."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of a port, as its mark declares it.

    Attributes:
        effect: What the method does.
        name: The method's name.
        key: The parameter that names what is read or written, None where the operation has no key (``clear``).
        removes: A write after which there is nothing under the key.
        rescue: A read whose answer may come from legacy when unified raises.
        deadline_s: How long the side beside may take, in seconds; also how long an async unified read may take in live.
        errors: Fields of an exception class, by class name, that belong to the answer; other exceptions compare by class only.
        values: Paths of fields whose values may stand in a divergence sample. Everything else is shown as type, length and keyed hash.
        named_by: Parameters whose values are names out of the code, never data: joined by ``@`` they begin the path of each difference, so
            that every one of these names has fingerprints and rules of its own.
        subject: Of an effect, the parameter that names what its calls share: the breaker, the budget. Their events are one sequence.
        label: Of an effect, names an error that the user's function raised; its class name by default.
        arguments: Parameters whose values may stand in a sample, so that the call can be made again; those in ``named_by`` always may.
            Of the others a sample has type, length and keyed hash.
        signature: The method's signature without ``self``.
        is_async: An ``async def`` that returns (not an async generator).
    """

    effect: Effect
    name: str = ""
    key: str | None = None
    removes: bool = False
    rescue: bool = False
    deadline_s: float = 1.0
    errors: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    values: frozenset[str] = frozenset()
    signature: inspect.Signature = field(default_factory=inspect.Signature, compare=False)
    is_async: bool = False
    named_by: tuple[str, ...] = ()
    subject: str | None = None
    label: Callable[[BaseException], str] = lambda error: type(error).__qualname__
    arguments: frozenset[str] = frozenset()

    @property
    def shown(self) -> frozenset[str]:
        """Every parameter whose value may stand in a sample."""
        return self.arguments.union(self.named_by)


@overload
def reads(function: F) -> F: ...
@overload
def reads(
    *,
    key: str | None = ...,
    rescue: bool = ...,
    deadline_s: float = ...,
    errors: Mapping[str, tuple[str, ...]] = ...,
    values: frozenset[str] = ...,
    named_by: tuple[str, ...] = ...,
    arguments: frozenset[str] = ...,
) -> Callable[[F], F]: ...
def reads(
    function: F | None = None,
    *,
    key: str | None = None,
    rescue: bool = False,
    deadline_s: float = 1.0,
    errors: Mapping[str, tuple[str, ...]] = MappingProxyType({}),
    values: frozenset[str] = frozenset(),
    named_by: tuple[str, ...] = (),
    arguments: frozenset[str] = frozenset(),
) -> Any:
    """Mark a method that may run twice. See :class:`Operation` for the parameters; *key* defaults to the key of the port's writes."""
    operation = Operation(
        Effect.READS,
        key=key,
        rescue=rescue,
        deadline_s=deadline_s,
        errors=errors,
        values=values,
        named_by=named_by,
        arguments=arguments,
    )
    return _mark(function, operation)


@overload
def writes(function: F) -> F: ...
@overload
def writes(
    *,
    key: str | None = ...,
    removes: bool = ...,
    deadline_s: float = ...,
    errors: Mapping[str, tuple[str, ...]] = ...,
    values: frozenset[str] = ...,
    arguments: frozenset[str] = ...,
) -> Callable[[F], F]: ...
def writes(
    function: F | None = None,
    *,
    key: str | None = None,
    removes: bool = False,
    deadline_s: float = 1.0,
    errors: Mapping[str, tuple[str, ...]] = MappingProxyType({}),
    values: frozenset[str] = frozenset(),
    arguments: frozenset[str] = frozenset(),
) -> Any:
    """Mark a method that changes what is stored under *key*; without a key it changes everything."""
    operation = Operation(
        Effect.WRITES,
        key=key,
        removes=removes,
        deadline_s=deadline_s,
        errors=errors,
        values=values,
        arguments=arguments,
    )
    return _mark(function, operation)


@overload
def effects(function: F) -> F: ...
@overload
def effects(
    *, subject: str | None = ..., named_by: tuple[str, ...] = ..., label: Callable[[BaseException], str] | None = ...
) -> Callable[[F], F]: ...
def effects(
    function: F | None = None,
    *,
    subject: str | None = None,
    named_by: tuple[str, ...] = (),
    label: Callable[[BaseException], str] | None = None,
) -> Any:
    """Mark a method that calls back into the user's code, which must run once. The other side is replayed on what was recorded.

    The method's first parameter is the user's async function. See :class:`Operation` for the others.
    """
    operation = Operation(Effect.EFFECTS, subject=subject, named_by=named_by, deadline_s=REPLAY_DEADLINE_S)
    return _mark(function, replace(operation, label=label) if label else operation)


def _mark(function: F | None, operation: Operation) -> Any:
    def hang(method: F) -> F:
        setattr(method, _MARK, operation)
        return method

    return hang if function is None else hang(function)


@dataclass(frozen=True, slots=True)
class Phase:
    """A part of the roadmap that moves behind one flag.

    Attributes:
        name: One word; the flag is ``phase.<name>`` in ``flags/<name>.flagd.json``.
        default: The stage that is served when no flag can be read and no snapshot of one is left.
        writes: True if its ports write, so that it has the stages dualwrite and rampdown.
        rescuable: False where an answer from legacy must never stand in for a failed unified one: configuration and security.
    """

    name: str
    default: Stage = Stage.OFF
    writes: bool = False
    rescuable: bool = True

    @property
    def flag(self) -> str:
        """Key of the phase's flag: ``phase.cache``."""
        return f"phase.{self.name}"

    @overload
    def seam(
        self, name: str, *, port: type[P], reasonable: Explain | None = None, names: frozenset[str] = ...
    ) -> Seam[P, None]: ...
    @overload
    def seam(
        self,
        name: str,
        *,
        port: type[P],
        aport: type[A],
        reasonable: Explain | None = None,
        names: frozenset[str] = ...,
    ) -> Seam[P, A]: ...
    def seam(
        self,
        name: str,
        *,
        port: type[Any],
        aport: type[Any] | None = None,
        reasonable: Explain | None = None,
        names: frozenset[str] = frozenset(),
    ) -> Seam[Any, Any]:
        """Return one place where this phase is cut; see :class:`Seam`."""
        return Seam(phase=self, name=name, port=port, aport=aport, reasonable=reasonable, names=names)


@dataclass(frozen=True, slots=True)
class Seam(Generic[P, A]):
    """One place where a phase is cut: what is bound, routed, tallied and judged.

    Attributes:
        port: The Protocol that callers hold.
        aport: A second Protocol over the same state, its async methods named with ``a`` in front; None if there is none.
        reasonable: Explains a difference that the port tolerates; None tolerates nothing.
        names: Keys of mappings in its answers that are names out of the code, so that they may stand in a field path. Fields of classes always
            do; a key that is not declared may be data, or a secret, and is folded.
    """

    phase: Phase
    name: str
    port: type[P]
    aport: type[A] | None = None
    reasonable: Explain | None = None
    names: frozenset[str] = frozenset()

    def names_in(self, operation: Operation) -> frozenset[str]:
        """Return the keys of mappings that may stand in a field path of *operation*: the declared ones, and those whose values may be shown."""
        return self.names.union(*(path.split(".") for path in operation.values))

    @property
    def full_name(self) -> str:
        """``cache.types``, as reports write it."""
        return f"{self.phase.name}.{self.name}"

    @property
    def ports(self) -> tuple[type[Any], ...]:
        """The one or two Protocols, ``port`` first."""
        return (self.port,) if self.aport is None else (self.port, self.aport)

    def operations(self) -> dict[str, Operation]:
        """Return every operation of every port by method name.

        Raises:
            BindingError: if a public method lacks a mark, a key names no parameter, a write does not fit the phase, or two ports
                share a method name.
        """
        found: dict[str, Operation] = {}
        for port in self.ports:
            for name, operation in self._operations_of(port).items():
                if name in found:
                    raise self.fault(f"{name}() stands in both ports; name the async one with a in front", method=name)
                found[name] = operation
        keys = {operation.key for operation in found.values() if operation.effect is Effect.WRITES and operation.key}
        return {name: _with_default_key(operation, keys) for name, operation in found.items()}

    def fault(
        self, message: str, *, side: str | None = None, method: str | None = None, parameter: str | None = None
    ) -> BindingError:
        """Return a BindingError that names this seam."""
        return BindingError(
            message, phase=self.phase.name, seam=self.name, side=side, method=method, parameter=parameter
        )

    def _operations_of(self, port: type[Any]) -> dict[str, Operation]:
        methods = {
            name: member
            for cls in reversed(port.__mro__)
            if cls.__module__ not in ("typing", "builtins", "abc")
            for name, member in vars(cls).items()
            if not name.startswith("_") and inspect.isfunction(member)
        }
        return {name: self._operation(port, name, method) for name, method in methods.items()}

    def _operation(self, port: type[Any], name: str, method: Callable[..., Any]) -> Operation:
        mark = getattr(method, _MARK, None)
        if not isinstance(mark, Operation):
            raise self.fault(f"{port.__name__}.{name}() has no mark, wanted @reads, @writes or @effects", method=name)
        signature = inspect.signature(method)
        parameters = list(signature.parameters.values())[1:]
        if mark.key is not None and mark.key not in {parameter.name for parameter in parameters}:
            raise self.fault(
                f"{port.__name__}.{name}() has no parameter {mark.key!r}, which its mark calls the key",
                method=name,
                parameter=mark.key,
            )
        if mark.subject is not None and mark.subject not in {parameter.name for parameter in parameters}:
            raise self.fault(
                f"{port.__name__}.{name}() has no parameter {mark.subject!r}, which its mark calls the subject",
                method=name,
                parameter=mark.subject,
            )
        if strangers := [each for each in mark.named_by if each not in {parameter.name for parameter in parameters}]:
            raise self.fault(
                f"{port.__name__}.{name}() has no parameter {strangers[0]!r}, by which its mark names a difference",
                method=name,
                parameter=strangers[0],
            )
        if strangers := sorted(mark.arguments - {parameter.name for parameter in parameters}):
            raise self.fault(
                f"{port.__name__}.{name}() has no parameter {strangers[0]!r}, which its mark lets samples show",
                method=name,
                parameter=strangers[0],
            )
        if mark.effect is Effect.WRITES and not self.phase.writes:
            raise self.fault(f"{port.__name__}.{name}() writes, but the phase is declared without writes", method=name)
        return replace(
            mark,
            name=name,
            signature=signature.replace(parameters=parameters),
            is_async=inspect.iscoroutinefunction(method),
        )


def _with_default_key(operation: Operation, keys: set[str]) -> Operation:
    if operation.effect is not Effect.READS or operation.key is not None:
        return operation
    shared = [name for name in operation.signature.parameters if name in keys]
    return replace(operation, key=shared[0]) if shared else operation
