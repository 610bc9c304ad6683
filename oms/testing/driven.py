"""An async port called from plain tests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any


class Driven:
    """Makes ``get()`` run ``aget()`` to its end, and so on, so that one suite states the promises of both ports.

    Args:
        runner: Its context is that of the moment it was entered.
    """

    def __init__(self, port: Any, runner: asyncio.Runner) -> None:
        self._port = port
        self._runner = runner

    def run(self, story: Callable[[Any], Coroutine[Any, Any, Any]]) -> Any:
        """Return what *story* returns, which is given the async port: for several calls at once, and for cancellation."""
        return self._runner.run(story(self._port))

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._port, f"a{name}")

        def drive(*args: Any, **kwargs: Any) -> Any:
            return self._runner.run(method(*args, **kwargs))

        return drive
