"""A process with one distributed breaker that does what it is told, one word a line, and says how it went.

Words: ``fail`` and ``ok`` call it, ``fails N`` calls it N times and says how these ended, ``hold`` calls it with something that ends at
the next line (``ok`` or ``fail``), ``await STATE`` waits until it stands so and says when, by the machine's monotonic clock.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

_PATIENCE_S = 60.0


class BreakerProcess:
    """The process, as its test sees it. A context manager.

    Args:
        url: Of the Redis server.
        config: Of the breaker.
    """

    def __init__(self, url: str, **config: Any) -> None:
        program = [sys.executable, __file__, url, json.dumps(config)]
        root = Path(__file__).parents[2]
        self.process = subprocess.Popen(program, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def tell(self, words: str) -> None:
        """Say what to do next."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{words}\n")
        self.process.stdin.flush()

    def answer(self) -> str:
        """Return what it said."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def ask(self, words: str) -> str:
        """Say what to do next and return what it said."""
        self.tell(words)
        return self.answer()

    def __enter__(self) -> BreakerProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()


def say(words: str) -> None:
    """Answer the test."""
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


def main(url: str, config: dict[str, Any]) -> None:
    """Obey."""
    sys.path.insert(0, str(Path.cwd()))
    from oms.unified.resilience import BreakerStore, CircuitBreakerConfig, CircuitOpenError, DistributedCircuitBreaker

    store = BreakerStore(url, deadline_ms=30_000)
    breaker = DistributedCircuitBreaker("shared", store=store, config=CircuitBreakerConfig(**config))

    def end(word: str) -> None:
        if word != "ok":
            raise ConnectionError

    def held() -> None:
        say("held")
        end(sys.stdin.readline().strip())

    for line in sys.stdin:
        word, _, rest = line.strip().partition(" ")
        if word == "await":
            give_up_at = time.monotonic() + _PATIENCE_S
            while breaker.state != rest and time.monotonic() < give_up_at:
                time.sleep(0.0005)
            say(str(time.monotonic() if breaker.state == rest else breaker.state))
            continue
        if word == "fails":
            ends: Counter[str] = Counter()
            for _ in range(int(rest)):
                try:
                    breaker.call(end, "fail")
                except Exception as error:  # a stranger among them is what the test looks for
                    ends[type(error).__name__] += 1
            say(json.dumps(ends))
            continue
        try:
            if word == "hold":
                breaker.call(held)
            else:
                breaker.call(end, word)
            say("done")
        except CircuitOpenError as error:
            say(f"rejected {error.state}")
        except ConnectionError:
            say("failed")


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]))
