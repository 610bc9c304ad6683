"""Did the caller get the control's own object or exception? Checked by identity, in the process, call by call.

Both sides of a seam are wrapped where they are bound, and the facade where the service holds it. The side that answers runs in the
caller's thread and task, before anything else; what the other side produces in a lane is not written down. So the caller must get the
first object or exception of the call, or, if the first side raised, the second one's: a rescue, which the runtime must have counted.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import threading
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from oms.domain.phase import Seam

IDENTITY_PATH = "/_rehearsal/identity"
"""Where the workers of a rehearsal answer with their counts."""


@dataclass(slots=True)
class _Produced:
    value: object
    raised: bool


@dataclass(slots=True)
class _Call:
    """What the sides produced in the caller's own thread and task, in their order."""

    thread: int
    task: object
    produced: list[_Produced] = field(default_factory=list)


_CALL: ContextVar[_Call | None] = ContextVar("oms_identity_call", default=None)


class _Wrapped:
    """An object whose methods of a port are wrapped; everything else is the object's own."""

    def __init__(self, inner: object, methods: dict[str, Callable[..., Any]]) -> None:
        self._inner = inner
        self.__dict__.update(methods)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


@dataclass(slots=True)
class IdentityCheck:
    """Counts calls of one process by who answered them.

    Attributes:
        checked: Calls that ended.
        rescued: Calls that the second side answered after the first had raised.
        violations: Calls whose answer was neither the control's own nor a rescue.
    """

    checked: int = 0
    rescued: int = 0
    violations: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def side(self, seam: Seam[Any, Any], implementation: object) -> Any:
        """Return *implementation* to be bound in its place: it remembers what it produced for the caller."""
        return _Wrapped(
            implementation, {name: _remembering(getattr(implementation, name)) for name in seam.operations()}
        )

    def facade(self, seam: Seam[Any, Any], facade: object) -> Any:
        """Return *facade* to be called in its place: it checks what the caller gets."""
        return _Wrapped(facade, {name: self._checking(getattr(facade, name)) for name in seam.operations()})

    def as_json(self) -> dict[str, int]:
        """Return the counts."""
        with self._lock:
            return {"checked": self.checked, "rescued": self.rescued, "violations": self.violations}

    def _checking(self, method: Callable[..., Any]) -> Callable[..., Any]:
        if inspect.iscoroutinefunction(method):

            @functools.wraps(method)
            async def achecked(*args: Any, **kwargs: Any) -> Any:
                call, token = _open_call()
                try:
                    value = await method(*args, **kwargs)
                except BaseException as error:
                    self._judge(call, error, raised=True)
                    raise
                finally:
                    _CALL.reset(token)
                self._judge(call, value, raised=False)
                return value

            return achecked

        @functools.wraps(method)
        def checked(*args: Any, **kwargs: Any) -> Any:
            call, token = _open_call()
            try:
                value = method(*args, **kwargs)
            except BaseException as error:
                self._judge(call, error, raised=True)
                raise
            finally:
                _CALL.reset(token)
            self._judge(call, value, raised=False)
            return value

        return checked

    def _judge(self, call: _Call, answer: object, *, raised: bool) -> None:
        place = next(
            (n for n, each in enumerate(call.produced) if each.value is answer and each.raised is raised), None
        )
        is_rescue = place == 1 and call.produced[0].raised
        # A caller that is cancelled before any side began has been answered by nobody, as it must be.
        was_cancelled = raised and isinstance(answer, asyncio.CancelledError) and not call.produced
        with self._lock:
            self.checked += 1
            self.rescued += is_rescue
            self.violations += not (place == 0 or is_rescue or was_cancelled)


def _open_call() -> tuple[_Call, Any]:
    call = _Call(threading.get_ident(), _task())
    return call, _CALL.set(call)


def _task() -> object:
    try:
        return asyncio.current_task()
    except RuntimeError:
        return None


def _remembering(method: Callable[..., Any]) -> Callable[..., Any]:
    if inspect.iscoroutinefunction(method):

        @functools.wraps(method)
        async def aremembered(*args: Any, **kwargs: Any) -> Any:
            try:
                value = await method(*args, **kwargs)
            except BaseException as error:
                _remember(error, raised=True)
                raise
            _remember(value, raised=False)
            return value

        return aremembered

    @functools.wraps(method)
    def remembered(*args: Any, **kwargs: Any) -> Any:
        try:
            value = method(*args, **kwargs)
        except BaseException as error:
            _remember(error, raised=True)
            raise
        _remember(value, raised=False)
        return value

    return remembered


def _remember(value: object, *, raised: bool) -> None:
    call = _CALL.get()
    if call is not None and call.thread == threading.get_ident() and call.task is _task():
        call.produced.append(_Produced(value, raised))
