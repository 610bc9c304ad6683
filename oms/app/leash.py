"""Runs ``python`` with the words it is given for as long as its own stdin is open, so that nothing outlives whoever started it.

Whoever is killed cannot end what it has started; its end of a pipe is closed all the same.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Sequence


def main(argv: Sequence[str]) -> int:
    """Run it, tell it to end (SIGTERM) when stdin is closed, and return its exit code."""
    process = subprocess.Popen([sys.executable, *argv], stdin=subprocess.DEVNULL)
    threading.Thread(target=_end_with_stdin, args=(process,), daemon=True).start()
    return process.wait()


def _end_with_stdin(process: subprocess.Popen[bytes]) -> None:
    # Not by way of sys.stdin, whose lock the interpreter wants when it ends.
    while os.read(0, 4096):
        pass
    process.terminate()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
