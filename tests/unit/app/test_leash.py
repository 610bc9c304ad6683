"""What is on the leash ends with whoever holds it."""

from __future__ import annotations

import subprocess
import sys

COMMAND = [sys.executable, "-m", "oms.app.leash", "-c"]
WAITS = "import time; print('up', flush=True); time.sleep(600)"


def test_its_own_end() -> None:
    """What ends by itself gives its exit code, while its holder still holds on."""
    with subprocess.Popen([*COMMAND, "raise SystemExit(7)"], stdin=subprocess.PIPE) as process:
        assert 7 == process.wait(60)


def test_the_end_of_its_holder() -> None:
    """When the other end of stdin is closed it is told to end."""
    with subprocess.Popen([*COMMAND, WAITS], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert b"up\n" == process.stdout.readline()
        process.stdin.close()

        assert 0 != process.wait(60)
