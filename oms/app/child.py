"""A process that a rehearsal starts: says where it listens as one line of JSON on stdout, and ends when its stdin is closed.

The end of its parent closes stdin, too, so nothing is left behind.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys


def say_where(port: int) -> None:
    """Tell the parent that requests are answered at *port*."""
    sys.stdout.write(json.dumps({"pid": os.getpid(), "port": port}) + "\n")
    sys.stdout.flush()


def stop_with_stdin(stop: asyncio.Event) -> None:
    """Set *stop* at the end of stdin; call it in the running loop. What is written to stdin is read and means nothing."""
    loop = asyncio.get_running_loop()
    stdin = sys.stdin.fileno()

    def read() -> None:
        if not os.read(stdin, 4096):
            loop.remove_reader(stdin)
            stop.set()

    loop.add_reader(stdin, read)
