"""An async port called from plain tests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any


class Driven:
    """Makes ``get()`` run ``aget()`` to its end, and so on, so that one suite states the promises of both ports."""

    def __init__(self, port: Any, runner: asyncio.Runner) -> None:
        self._port = port
        self._runner = runner

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._port, f"a{name}")

        def drive(*args: Any, **kwargs: Any) -> Any:
            return self._runner.run(method(*args, **kwargs))

        return drive
