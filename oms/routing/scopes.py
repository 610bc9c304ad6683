"""Scopes: one unit of work, one evaluation context, decisions pinned."""

from __future__ import annotations

import contextlib
import functools
import inspect
import time
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Any, ParamSpec, Protocol, TypeVar

from oms.domain.errors import OmsError
from oms.domain.phase import Phase
from oms.domain.scope import EvaluationContext
from oms.routing.epoch import Epoch, Pin, decided, pin_since

Q = ParamSpec("Q")
R = TypeVar("R")

CURRENT: ContextVar[Scope | None] = ContextVar("oms_scope", default=None)
"""The innermost open scope of this thread or task."""


class Epochs(Protocol):
    """What a scope needs of the runtime."""

    current: Epoch

    def scope_closed(self, epoch: Epoch) -> None:
        """React to the end of a scope that held *epoch* while a later one is current."""

    def scope_rejoined(self, epoch: Epoch) -> None:
        """React to a scope that holds *epoch* again, although a later one is current."""


class Scope:
    """One unit of work. Use it as ``with``, ``async with`` or decorator.

    It keeps the decision table it began with: its stage is the lowest of that table's and of every table published
    since, so a flip forward reaches the next scope and a flip back reaches the very next call.
    """

    __slots__ = ("_attributes", "_began", "_context", "_epochs", "_id", "_targeting_key", "_token", "pins")

    def __init__(
        self, epochs: Epochs, targeting_key: str | None = None, attributes: Mapping[str, object] | None = None
    ) -> None:
        self._epochs = epochs
        self._targeting_key = targeting_key
        self._attributes = attributes
        self._context: EvaluationContext | None = None
        self._began: Epoch | None = None
        self._token: Token[Scope | None] | None = None
        self._id = id(self)
        self.pins: dict[object, Pin] = {}

    def __enter__(self) -> Scope:
        if self._token is not None:
            raise OmsError("scope: entered twice, wanted a new one for each unit of work")
        self.pins = {}
        self._began = self._join()
        self._token = CURRENT.set(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # The epoch stays known: a task or thread that goes on after the end is still part of this unit of work.
        began, token = self._began, self._token
        self._token = None
        if token is not None:
            # An async generator may be closed in another context than it was entered in; there nothing is left to reset.
            with contextlib.suppress(ValueError):
                CURRENT.reset(token)
        if began is not None:
            self._leave(began)

    async def __aenter__(self) -> Scope:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)

    def __call__(self, function: Callable[Q, R]) -> Callable[Q, R]:
        """Return *function*, sync or async, run in a scope of its own at each call."""
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def in_scope(*args: Q.args, **kwargs: Q.kwargs) -> Any:
                with Scope(self._epochs, self._targeting_key, self._attributes):
                    awaited: Awaitable[Any] = function(*args, **kwargs)
                    return await awaited

            return in_scope  # type: ignore[return-value]  # R is the coroutine's type here, which ParamSpec cannot say

        @functools.wraps(function)
        def within_scope(*args: Q.args, **kwargs: Q.kwargs) -> R:
            with Scope(self._epochs, self._targeting_key, self._attributes):
                return function(*args, **kwargs)

        return within_scope

    def carry(self, function: Callable[Q, R]) -> Callable[Q, R]:
        """Return *function* to be called in another thread, within this scope and with its pinned decisions."""
        began = self._began = self._began or self._epochs.current

        @functools.wraps(function)
        def carried(*args: Q.args, **kwargs: Q.kwargs) -> R:
            hold = object()
            began.scopes[id(hold)] = time.time()
            if began is not self._epochs.current:
                self._epochs.scope_rejoined(began)
            token = CURRENT.set(self)
            try:
                return function(*args, **kwargs)
            finally:
                CURRENT.reset(token)
                self._release(began, id(hold))

        return carried

    @property
    def targeting_key(self) -> str | None:
        """What canaries are sticky on, None without."""
        return self._targeting_key

    @property
    def context(self) -> EvaluationContext:
        """The evaluation context; made when the first decision asks for it, which a phase at rest never does."""
        if self._context is None:
            attributes = self._attributes
            self._context = (
                EvaluationContext(self._targeting_key, dict(attributes))
                if attributes
                else EvaluationContext(self._targeting_key)
            )
        return self._context

    def decide(self, phase: Phase, place: object, seam: str, operation: str) -> Pin:
        """Return this unit of work's decision for *phase*, pinned under *place* (one for the phase, or for each operation)."""
        current = self._epochs.current
        known = self.pins.get(place) or self._began or current
        if known is current:
            stage, plan = decided(phase, current, self.context, seam=seam, operation=operation)
            pin = Pin((stage, stage, plan), current)
        else:
            pin = pin_since(phase, known, self.context, seam=seam, operation=operation)
        self.pins[place] = pin
        return pin

    def _join(self) -> Epoch:
        while True:
            epoch = self._epochs.current
            epoch.scopes[self._id] = time.time()
            # A table published in between did not see this scope yet: begin again with that one.
            if epoch is self._epochs.current:
                return epoch
            epoch.scopes.pop(self._id, None)

    def _leave(self, began: Epoch) -> None:
        self._release(began, self._id)

    def _release(self, epoch: Epoch, member: int) -> None:
        epoch.scopes.pop(member, None)
        if not epoch.scopes and epoch is not self._epochs.current:
            self._epochs.scope_closed(epoch)
