"""What the rehearsal shows while it runs."""

from __future__ import annotations

import asyncio
import io
from typing import TextIO

import pytest

from oms.app.rehearsal.progress import progress


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def show(stream: TextIO) -> None:
    """Show two stages of ten calls."""
    sent = 0

    async def go() -> None:
        nonlocal sent
        async with progress(stream, 10, lambda: sent) as say:
            say.stage("cache off")
            sent = 4
            say.stage("cache shadow")
            say.verdict("[rehearsal] cache: shadow | guards ok")
            sent = 12

    asyncio.run(go())


def test_plain_lines() -> None:
    """What is no terminal gets one line a stage, and one for each verdict, without control characters."""
    stream = io.StringIO()
    show(stream)

    assert [
        "oms rehearse: 0 of 10 calls, cache off",
        "oms rehearse: 4 of 10 calls, cache shadow",
        "oms rehearse: [rehearsal] cache: shadow | guards ok",
    ] == stream.getvalue().splitlines()


def test_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal gets a bar that ends full, however much more was sent, and what the controller says above it."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    stream = Terminal()
    show(stream)

    assert "cache shadow" in stream.getvalue()
    assert "[rehearsal] cache: shadow | guards ok" in stream.getvalue()
    assert "10/10" in stream.getvalue()
    assert "\x1b[3" in stream.getvalue()


def test_no_color(monkeypatch: pytest.MonkeyPatch) -> None:
    """NO_COLOR leaves the colours out and the bar in."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    stream = Terminal()
    show(stream)

    assert "10/10" in stream.getvalue()
    assert "\x1b[3" not in stream.getvalue()
