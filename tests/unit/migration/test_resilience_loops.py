"""Retries written by hand: a loop that tries, sleeps after a failure and is left after a success."""

from __future__ import annotations

import ast

import pytest

from oms.migration.resilience.loops import Loop, find_loops
from oms.migration.scan.source import Spans


def loops(text: str) -> list[Loop]:
    """Return the loops of *text*."""
    return find_loops(ast.parse(text), Spans(text), "a.py")


RANGE = """\
class Router:
    async def forward(self, client):
        for attempt in range(3):
            try:
                return await client.get()
            except (ValueError, OSError):
                if attempt == 2:
                    raise
                await asyncio.sleep(2 ** attempt)
"""


def test_loop() -> None:
    """A loop is told with its place, attempts, waits and errors."""
    assert [Loop("a.py", 3, 9, "Router.forward", 3, "asyncio.sleep(2 ** attempt)", "(ValueError, OSError)")] == loops(
        RANGE
    )


RETRIES = [
    "while True:\n try:\n  go()\n  break\n except OSError:\n  time.sleep(1)\n",
    "while True:\n try:\n  go()\n except OSError:\n  time.sleep(1)\n  continue\n break\n",
    "while True:\n try:\n  go()\n except OSError:\n  time.sleep(1)\n else:\n  break\n",
    "def f():\n while n > 0:\n  try:\n   return go()\n  except:\n   n -= 1\n  sleep(delay)\n",
    "done = False\nwhile not done:\n try:\n  go()\n  done = True\n except OSError:\n  time.sleep(1)\n",
    "def f():\n for i in count():\n  try:\n   return go()\n  except OSError:\n   if i < 3:\n    time.sleep(1)\n    continue\n   raise\n",
    "def f():\n for i in range(1, 4):\n  if x:\n   with y:\n    try:\n     return go()\n    except OSError:\n     pass\n  self._sleep(i)\n",
    "async def f():\n async for i in ticks():\n  try:\n   return go()\n  except* OSError:\n   await backoff(i)\n",
    "if x:\n for i in range(2):\n  try:\n   go()\n   break\n  except OSError:\n   trio.sleep(1)\n",
]


@pytest.mark.parametrize("text", RETRIES)
def test_retries(text: str) -> None:
    """Each usual form is seen."""
    assert 1 == len(loops(text))


OTHERS = [
    "while True:\n try:\n  go()\n except OSError:\n  log()\n time.sleep(5)\n",
    "for item in items:\n try:\n  go(item)\n except OSError:\n  time.sleep(1)\n",
    "def f():\n for i in range(3):\n  try:\n   return go()\n  except OSError:\n   pass\n",
    "def f():\n while True:\n  try:\n   return go()\n  finally:\n   time.sleep(1)\n",
    "def f():\n while True:\n  try:\n   return go()\n  except OSError:\n   time.sleep(1)\n   raise\n",
    "def f():\n for i in range(3):\n  def g():\n   try:\n    return go()\n   except OSError:\n    time.sleep(1)\n",
    "def f():\n try:\n  return go()\n except OSError:\n  time.sleep(1)\n",
]


@pytest.mark.parametrize("text", OTHERS)
def test_others(text: str) -> None:
    """A poller, a loop over items, one without a wait, and one that gives up at once are no retries."""
    assert [] == loops(text)


def test_inner_loop() -> None:
    """Of two loops the one that tries is told, not the one around it."""
    text = "def f():\n for host in hosts:\n  for i in range(5):\n   try:\n    return go(host)\n   except OSError:\n    time.sleep(i)\n"

    assert [(3, 5)] == [(each.line, each.attempts) for each in loops(text)]


@pytest.mark.parametrize(("times", "attempts"), [("4", 4), ("1, 4", 3), ("n", None), ("0, 9, 2", None)])
def test_attempts(times: str, attempts: int | None) -> None:
    """Attempts are told where the text says them."""
    text = f"for i in range({times}):\n try:\n  go()\n  break\n except OSError:\n  time.sleep(1)\n"

    assert [attempts] == [each.attempts for each in loops(text)]
